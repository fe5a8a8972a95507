"""Arithmetic units: one file each, one interface, one table."""

from collections.abc import Sequence

from rowloom.hw.units.adder_spec import AdderSpec
from rowloom.hw.units.bitplane_spec import BitplaneSpec
from rowloom.hw.units.nearest import no_unit
from rowloom.hw.units.sign_spec import SignSpec
from rowloom.hw.units.spec import UnitSpec
from rowloom.hw.units.term_spec import LutSpec, MultiplySpec, QuinarySpec, ShiftSpec, TernarySpec
from rowloom.hw.units.xnor_spec import XnorSpec
from rowloom.model.encodings import Encoding
from rowloom.model.operation import Operation

__all__ = ["SPECS", "UnitSpec", "make_unit", "unit_for"]

#: Every unit, in the order of preference.
SPECS: dict[str, type[UnitSpec]] = {
    spec.NAME: spec
    for spec in (
        XnorSpec,
        SignSpec,
        TernarySpec,
        QuinarySpec,
        ShiftSpec,
        LutSpec,
        MultiplySpec,
        BitplaneSpec,
        AdderSpec,
    )
}


def unit_for(
    weights: Encoding,
    activations: Encoding,
    prefer: Sequence[str] = (),
    operation: Operation = Operation.MULTIPLY,
) -> type[UnitSpec]:
    """The unit for weights and activations of these encodings.

    Parameters
    ----------
    weights, activations : Encoding
    prefer : sequence of str
        Units to take before all others, where they accept the encodings.
    operation : Operation
        What is summed.

    Raises
    ------
    RowloomError
        If there is none; names both encodings and the nearest pair for which there is one.
    """
    for spec in (*(SPECS[name] for name in prefer), *SPECS.values()):
        if spec.OPERATION is operation and spec.accepts(weights, activations):
            return spec
    raise no_unit(SPECS.values(), weights, activations, operation)


def make_unit(spec, *, lanes):
    """The gates of a unit; imports them only now."""
    from rowloom.hw.units.adder import AdderUnit
    from rowloom.hw.units.bitplane import BitplaneUnit
    from rowloom.hw.units.lut import LutUnit
    from rowloom.hw.units.multiply import MultiplyUnit
    from rowloom.hw.units.quinary import QuinaryUnit
    from rowloom.hw.units.shift import ShiftUnit
    from rowloom.hw.units.sign import SignUnit
    from rowloom.hw.units.ternary import TernaryUnit
    from rowloom.hw.units.xnor import XnorUnit

    units = {
        "xnor": XnorUnit,
        "sign": SignUnit,
        "ternary": TernaryUnit,
        "quinary": QuinaryUnit,
        "shift": ShiftUnit,
        "lut": LutUnit,
        "multiply": MultiplyUnit,
        "bitplane": BitplaneUnit,
        "adder": AdderUnit,
    }
    return units[spec.NAME](lanes=lanes, spec=spec)
