"""Pairs of encodings for every unit and every way through its gates, narrow enough for a solver."""

from collections.abc import Callable
from dataclasses import dataclass

from rowloom.hw.units import UnitSpec, unit_for
from rowloom.model.encodings import Binary, Codebook, DoReFa, Encoding, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.operation import Operation


@dataclass(frozen=True, kw_only=True)
class Case:
    """A unit, and its offset in one line.

    Parameters
    ----------
    weights, activations : Encoding
    prefer : tuple of str
        Unit to take instead of the table's choice.
    lanes : int
    offset : callable
        From the lanes' weights, as values, to the offset; takes gates as well as arrays.
    dead : int or None
        The sum after a padded tap; None if it is that of a word of zeros.
    half : bool
        Whether the unit has the half bit.
    operation : Operation
        What is summed.
    slow : bool
        Whether a proof takes more than a few seconds.
    """

    weights: Encoding
    activations: Encoding
    prefer: tuple[str, ...] = ()
    lanes: int = 4
    offset: Callable = lambda w: 0
    dead: int | None = None
    half: bool = False
    operation: Operation = Operation.MULTIPLY
    slow: bool = False

    @property
    def spec(self) -> UnitSpec:
        """Facts of the unit."""
        kind = unit_for(self.weights, self.activations, self.prefer, self.operation)
        return kind(weights=self.weights, activations=self.activations, half=self.half)

    def __str__(self) -> str:
        half = "-half" if self.half else ""
        return f"{self.spec.NAME}{half}-{self.weights}-{self.activations}-{self.lanes}"


def negative(bits):
    """What a complement of so many bits is over by, for each negative weight; less one if it has a sign (0 bits)."""
    return lambda w: sum(x < 0 for x in w) * ((1 << bits) - 1 if bits else -1)


def least(top):
    """Each weight's least product with activations up to ``top``, which its table leaves out."""
    return lambda w: -sum(top * (x < 0) * x for x in w)


def negative_pairs(w):
    """Less one for each pair of lanes whose first weight is negative."""
    return -sum(x < 0 for x in w[::2])


BIT = Binary()
LOG = PowerOfTwo(bits=3, e_min=0, e_max=2)
RAISED = PowerOfTwo(bits=3, e_min=1, e_max=3)
LOG_UNSIGNED = PowerOfTwo(bits=3, e_min=0, e_max=4, signed=False)


def unsigned(bits, zero_point=0):
    return Uniform(bits=bits, signed=False, zero_point=zero_point)


def signed(bits):
    return Uniform(bits=bits, signed=True)


def adder(weights, activations, **given):
    """A case of the adder operation."""
    return Case(weights=weights, activations=activations, operation=Operation.ADDER, **given)


CASES = (
    # Twice the population count; a padded tap counts as half of the lanes, rounded down without the half bit.
    Case(weights=BIT, activations=BIT, offset=lambda w: 4, dead=4),
    Case(weights=BIT, activations=BIT, lanes=5, offset=lambda w: 5, dead=4),
    Case(weights=BIT, activations=BIT, offset=lambda w: 4, dead=4, half=True),
    Case(weights=BIT, activations=BIT, lanes=5, offset=lambda w: 5, dead=5, half=True),
    Case(weights=BIT, activations=BIT, lanes=16, offset=lambda w: 16, dead=16),
    Case(weights=signed(2), activations=unsigned(2), prefer=("bitplane",)),
    Case(weights=signed(2), activations=signed(2), prefer=("bitplane",)),
    Case(weights=signed(3), activations=signed(2), prefer=("bitplane",), slow=True),
    Case(weights=Ternary(), activations=Ternary(), prefer=("bitplane",)),
    Case(weights=signed(3), activations=unsigned(3), lanes=2, prefer=("bitplane",)),
    Case(weights=BIT, activations=unsigned(4), offset=negative_pairs),
    Case(weights=BIT, activations=signed(4), offset=negative_pairs),
    Case(weights=BIT, activations=unsigned(3), lanes=5, offset=negative_pairs),
    Case(weights=Ternary(), activations=unsigned(4), offset=negative(4)),
    Case(weights=Ternary(), activations=signed(3), offset=negative(0)),
    Case(weights=Ternary(), activations=BIT, dead=0),
    Case(weights=Quinary(), activations=unsigned(3), offset=negative(4)),
    Case(weights=Quinary(), activations=signed(3), offset=negative(0)),
    Case(weights=Quinary(), activations=BIT, dead=0),
    Case(weights=LOG, activations=unsigned(4), offset=negative(6)),
    Case(weights=RAISED, activations=signed(3), offset=lambda w: 2 * negative(0)(w)),
    Case(weights=LOG, activations=BIT, dead=0),
    Case(weights=signed(4), activations=LOG_UNSIGNED),
    Case(weights=signed(3), activations=RAISED),
    Case(weights=LOG, activations=RAISED),
    Case(weights=LOG, activations=LOG_UNSIGNED, lanes=2),
    Case(weights=DoReFa(1), activations=unsigned(1), offset=least(1)),
    Case(weights=DoReFa(2), activations=unsigned(2), offset=least(3)),
    Case(weights=DoReFa(2), activations=DoReFa(2), dead=0),
    Case(weights=Codebook((-7, -2, 0, 1, 5)), activations=unsigned(2), offset=least(3)),
    Case(weights=DoReFa(3), activations=unsigned(3), lanes=2, offset=least(7)),
    Case(weights=DoReFa(4), activations=unsigned(4), slow=True),
    Case(weights=signed(2), activations=unsigned(2)),
    Case(weights=signed(4), activations=unsigned(4), slow=True),
    Case(weights=signed(5), activations=unsigned(3)),
    Case(weights=unsigned(3, zero_point=3), activations=signed(3), slow=True),
    Case(weights=signed(4), activations=unsigned(4, zero_point=3), dead=0, slow=True),
    # Distances: a table lacks the greatest one a lane, a subtraction the next power of two; a padded tap is at none.
    adder(Ternary(), Ternary(), offset=lambda w: 8, dead=8),
    adder(signed(2), unsigned(2), offset=lambda w: 20, dead=20),
    adder(signed(3), unsigned(2), lanes=2, offset=lambda w: 14, dead=14),
    adder(signed(3), unsigned(3), offset=lambda w: 64, dead=64),
    adder(unsigned(3), unsigned(3), offset=lambda w: 32, dead=32),
    adder(signed(3), signed(3), lanes=5, offset=lambda w: 40, dead=40),
    adder(unsigned(4), signed(2), lanes=1, offset=lambda w: 32, dead=32),
    adder(signed(4), unsigned(4), offset=lambda w: 128, dead=128),
    adder(signed(8), unsigned(8), lanes=2, offset=lambda w: 1024, dead=1024, slow=True),
)
