"""Facts of the adder unit."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Encoding, Quinary, Ternary, Uniform
from rowloom.model.operation import Operation

__all__ = ["AdderSpec"]

#: Bits of both codes together up to which a table is smaller than a subtraction.
TABLE_BITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AdderSpec(UnitSpec):
    """Minus the distance of every activation from its weight.

    A lane gives ``ceiling - abs(a - w)``, which is never negative, so the sum is ``ceiling`` too much a lane, whatever
    the weights. A padded word is gated to just that. A lane without a channel holds 0 on both sides.
    """

    NAME = "adder"
    OPERATION = Operation.ADDER
    TAKES = "Uniform(zero_point=0), Ternary or Quinary of up to 16 bits on both sides"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the codes of both sides are their values."""
        return all(
            (isinstance(e, Ternary | Quinary) or (isinstance(e, Uniform) and e.zero_point == 0)) and e.bits <= 16
            for e in (weights, activations)
        )

    @property
    def tabled(self) -> bool:
        """Whether a lane is a table of both codes."""
        return self.weights.bits + self.activations.bits <= TABLE_BITS

    @property
    def farthest(self) -> int:
        """The greatest distance."""
        return max(self.activations.max - self.weights.min, self.weights.max - self.activations.min)

    @property
    def magnitude_bits(self) -> int:
        """Bits of a difference beside its sign."""
        low, high = self.activations.min - self.weights.max, self.activations.max - self.weights.min
        return max(high.bit_length(), (-low - 1).bit_length() if low else 0, 1)

    @property
    def ceiling(self) -> int:
        """What a lane gives where the distance is 0."""
        return self.farthest if self.tabled else 1 << self.magnitude_bits

    def latency(self, lanes: int) -> int:
        """The lanes' registers, then an adder tree."""
        return 1 + max(1, (lanes - 1).bit_length())

    def fill(self, absent: int) -> np.ndarray:
        """Zeros, at no distance from the activation's zero."""
        return np.zeros(absent, np.int64)

    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """The ceiling of every lane; a padded word is gated to the same."""
        return np.full(words.shape[:-1], words.shape[-1] * self.ceiling, np.int64)

    def word_range(self, lanes: int) -> tuple[int, int]:
        """Every lane as far apart as can be, or equal."""
        return lanes * (self.ceiling - self.farthest), lanes * self.ceiling
