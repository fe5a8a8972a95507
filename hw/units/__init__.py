"""Arithmetic units: one file each, one interface, one table."""

from rowloom.hw.units.spec import SignSpec, UnitSpec, XnorSpec
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError

__all__ = ["SPECS", "UnitSpec", "make_unit", "unit_for"]

#: Every unit, in the order of preference.
SPECS: dict[str, type[UnitSpec]] = {spec.NAME: spec for spec in (XnorSpec, SignSpec)}


def unit_for(weights: Encoding, activations: Encoding) -> type[UnitSpec]:
    """The unit that multiplies weights and activations of these encodings.

    Raises
    ------
    RowloomError
        If there is none.
    """
    for spec in SPECS.values():
        if spec.accepts(weights, activations):
            return spec
    raise RowloomError(
        f"{weights} weights x {activations} activations",
        "no arithmetic unit multiplies them",
        "units exist for Binary x Binary and Binary x Uniform(unsigned, zero_point=0)",
    )


def make_unit(name, **parameters):
    """The gates of the unit of that name; imports them only now."""
    from rowloom.hw.units.sign import SignUnit
    from rowloom.hw.units.xnor import XnorUnit

    return {unit.SPEC.NAME: unit for unit in (XnorUnit, SignUnit)}[name](**parameters)
