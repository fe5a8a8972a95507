"""Facts of the sign unit."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Binary, Encoding, Uniform

__all__ = ["SignSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSpec(UnitSpec):
    """Binary weights, uniform activations: neighbours in pairs, each pair added or subtracted.

    The sum and the difference of two activations are the same for every filter, so a column forms
    them once; a filter picks one and may negate it. ``-v == ~v + 1``: a word is owed one for each
    pair whose first weight is -1.
    """

    NAME = "sign"
    TAKES = "Binary x Uniform(zero_point=0)"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights are binary and the activations uniform without a zero point."""
        return isinstance(weights, Binary) and isinstance(activations, Uniform) and activations.zero_point == 0

    def latency(self, lanes: int) -> int:
        """Pairs, then an adder tree over them."""
        return 1 + max(1, (-(-lanes // 2) - 1).bit_length())

    def fill(self, absent: int) -> np.ndarray:
        """All +1: nothing is owed."""
        return np.ones(absent, np.int64)

    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Less one for each pair that is negated."""
        return -(words[..., ::2] == 0).sum(-1)

    def word_range(self, lanes: int) -> tuple[int, int]:
        """All activations at their greatest magnitude, negated or not."""
        top = max(self.activations.max, -self.activations.min)
        return -lanes * top - -(-lanes // 2), lanes * top
