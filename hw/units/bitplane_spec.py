"""Facts of the bitplane unit."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Encoding, Quinary, Ternary, Uniform

__all__ = ["BitplaneSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BitplaneSpec(UnitSpec):
    """Integers plane by plane: a population count for each pair of a weight bit and an activation bit.

    The top bit of a two's complement code weighs negatively. Padding is zero in every plane.
    """

    NAME = "bitplane"
    TAKES = "Uniform(zero_point=0), Ternary or Quinary on both sides"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the codes of both sides are their values."""
        return all(
            isinstance(e, Ternary | Quinary) or (isinstance(e, Uniform) and e.zero_point == 0)
            for e in (weights, activations)
        )

    def planes(self) -> list[tuple[int, int, int]]:
        """Weight bit, activation bit and signed weight of each pair of planes."""
        pairs = []
        for i in range(self.weights.bits):
            for j in range(self.activations.bits):
                minus = (self.weights.signed and i == self.weights.bits - 1) != (
                    self.activations.signed and j == self.activations.bits - 1
                )
                pairs.append((i, j, (-1 if minus else 1) << (i + j)))
        return pairs

    def latency(self, lanes: int) -> int:
        """A population count of each pair, then an adder tree over the pairs."""
        count = 1 + (-(-lanes // 4) - 1).bit_length()
        return count + max(1, (len(self.planes()) - 1).bit_length())

    def fill(self, absent: int) -> np.ndarray:
        """Zeros."""
        return np.zeros(absent, np.int64)

    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """None: the sum is the products."""
        return np.zeros(words.shape[:-1], np.int64)

    def word_range(self, lanes: int) -> tuple[int, int]:
        """Every pair of planes full or empty: wider than the products, but what the adders may hold."""
        weights = [weight for _, _, weight in self.planes()]
        return lanes * sum(min(w, 0) for w in weights), lanes * sum(max(w, 0) for w in weights)
