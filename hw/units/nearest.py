"""What to say of a pair of encodings that units do not take: which pair like it they do."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING

from rowloom.model.encodings import Binary, Codebook, DoReFa, Encoding, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.operation import Operation

if TYPE_CHECKING:
    from rowloom.hw.units.spec import UnitSpec

__all__ = ["nearest", "no_unit", "pair_name", "refusal"]

#: What a change weighs: a bit less, codes that are values, the same values otherwise coded, other values.
BIT, CHANGE, RECODE, REPLACE = 1, 100, 250, 400

#: Kinds that an encoding may be replaced by, as wide as they are cheap.
OTHERS = (Binary(), Ternary(), Quinary(), PowerOfTwo(bits=4, e_min=0, e_max=6), DoReFa(4), DoReFa(2))


def nearest(
    specs: Iterable[type["UnitSpec"]], weights: Encoding, activations: Encoding
) -> tuple[type["UnitSpec"], Encoding, Encoding, int]:
    """The unit and the pair that it takes to which these encodings are changed with the least effort.

    Parameters
    ----------
    specs : types of UnitSpec
        Units in question; the first of equals is taken.

    Returns
    -------
    type of UnitSpec, Encoding, Encoding
        Weights and activations in this order.
    int
        Effort of the changes, 0 where the pair is taken as it is.
    """
    units = list(specs)
    pairs = sorted(product(_changed(weights), _changed(activations)), key=lambda pair: pair[0][0] + pair[1][0])
    return next((spec, w, a, effort + more) for (effort, w), (more, a) in pairs for spec in units if spec.accepts(w, a))


def _changed(encoding: Encoding) -> Iterator[tuple[int, Encoding]]:
    """An encoding, and others like it with the effort that each takes."""
    yield 0, encoding
    yield from _narrower(encoding, CHANGE)
    if isinstance(encoding, Uniform) and encoding.zero_point:
        plain = Uniform(bits=encoding.bits, signed=encoding.signed)
        yield CHANGE, plain
        yield from _narrower(plain, 2 * CHANGE)
    if not isinstance(encoding, Uniform):
        low, high = encoding.min, encoding.max
        bits = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + (low < 0)
        holding = Uniform(bits=max(bits, 1), signed=low < 0)
        yield RECODE, holding
        yield from _narrower(holding, RECODE + CHANGE)
    yield from ((REPLACE, other) for other in OTHERS if other != encoding)
    yield from ((REPLACE, Uniform(bits=bits, signed=True)) for bits in (8, 4))


def _narrower(encoding: Encoding, effort: int) -> Iterator[tuple[int, Encoding]]:
    """The same kind with fewer bits."""
    for bits in range(encoding.bits - 1, 0, -1):
        lost = effort + BIT * (encoding.bits - bits)
        if isinstance(encoding, Uniform):
            yield lost, Uniform(bits=bits, signed=encoding.signed, zero_point=encoding.zero_point)
        elif isinstance(encoding, DoReFa):
            yield lost, DoReFa(bits)
        elif isinstance(encoding, Codebook):
            yield lost, Codebook(encoding.values[: 1 << bits])


def pair_name(weights: Encoding, activations: Encoding) -> str:
    """Both encodings in a few words."""
    return f"{_name(weights)} weights x {_name(activations)} activations"


def _name(encoding: Encoding) -> str:
    if isinstance(encoding, Codebook):
        return f"Codebook({len(encoding.values)} values)"
    if isinstance(encoding, Uniform) and not encoding.zero_point:
        return f"Uniform(bits={encoding.bits}, signed={encoding.signed})"
    return str(encoding)


def no_unit(
    specs: Iterable[type["UnitSpec"]], weights: Encoding, activations: Encoding, operation: Operation
) -> RowloomError:
    """The error that no unit of an operation takes a pair; names the nearest pair that one takes."""
    spec, w, a, _ = nearest((spec for spec in specs if spec.OPERATION is operation), weights, activations)
    verb = "multiplies them" if operation is Operation.MULTIPLY else "sums their distances"
    return RowloomError(
        pair_name(weights, activations),
        f"no arithmetic unit {verb}",
        f"the nearest pair with a unit is {pair_name(w, a)}: {spec.NAME} takes {spec.TAKES}",
    )


def refusal(spec: type["UnitSpec"], weights: Encoding, activations: Encoding) -> RowloomError:
    """The error that one unit does not take a pair; names the nearest pair that it takes."""
    _, w, a, _ = nearest([spec], weights, activations)
    return RowloomError(
        f"{spec.NAME} unit",
        f"does not take {pair_name(weights, activations)}",
        f"the nearest pair that it takes is {pair_name(w, a)}: it takes {spec.TAKES}",
    )
