"""Facts of the xnor unit."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Binary, Encoding

__all__ = ["XnorSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class XnorSpec(UnitSpec):
    """Binary times binary. The sum is a population count: twice it is the products plus ``lanes``.

    A padded tap must add nothing, whatever its weights, so it counts as half of its lanes. A word
    whose absent lanes are odd in number would then be off by one against a padded tap; the half bit
    makes up for it. Only layers with padding and such a word need that bit.
    """

    NAME = "xnor"
    TAKES = "Binary x Binary"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether both are binary."""
        return isinstance(weights, Binary) and isinstance(activations, Binary)

    @property
    def shift(self) -> int:
        """One, which the half bit fills if it is there."""
        return 0 if self.half else 1

    def latency(self, lanes: int) -> int:
        """Counts of four lanes, then an adder tree."""
        return 1 + (-(-lanes // 4) - 1).bit_length()

    def fill(self, absent: int) -> np.ndarray:
        """Half of the lanes agree with the activation's zero, half do not."""
        return (np.arange(absent) >= absent // 2).astype(np.int64)

    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """The lanes, less one where an odd number is absent and no half bit makes up for it."""
        lanes = words.shape[-1]
        return np.broadcast_to(lanes - (0 if self.half else absent % 2), words.shape[:-1]).astype(np.int64)

    def dead_offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Twice half of the lanes."""
        lanes = words.shape[-1]
        return np.full(words.shape[:-1], lanes if self.half else lanes // 2 * 2, np.int64)

    def word_range(self, lanes: int) -> tuple[int, int]:
        """A count of the lanes, with the half bit below it."""
        return (0, 2 * lanes + 1) if self.half else (0, lanes)
