"""What the schedule must know of a unit: arithmetic facts without gates."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from rowloom.model.encodings import Binary, Encoding, Uniform

__all__ = ["SignSpec", "UnitSpec", "XnorSpec"]


class UnitSpec(ABC):
    """Facts of one kind of unit.

    A unit returns ``sum`` with ``sum << SHIFT == products + offset``: ``SHIFT`` low zero bits are
    not computed, and ``offset`` is known from the weights.
    """

    #: Name in reports, and key of the unit table.
    NAME: ClassVar[str]

    #: Low zero bits of the sum that the unit leaves out (unless built with the half bit).
    SHIFT: ClassVar[int] = 0

    @staticmethod
    @abstractmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the unit multiplies these encodings."""

    @staticmethod
    @abstractmethod
    def latency(lanes: int) -> int:
        """Cycles from a word to its sum."""

    @staticmethod
    @abstractmethod
    def fill(absent: int) -> np.ndarray:
        """Weight codes int64 [absent] for lanes that hold no channel (their activation code is 0)."""

    @staticmethod
    @abstractmethod
    def offset(words: np.ndarray, absent: np.ndarray, *, half: bool) -> np.ndarray:
        """Offset of each word.

        Parameters
        ----------
        words : int64 [..., lanes]
            Weight codes of each word, absent lanes filled with :meth:`fill`.
        absent : int64, broadcast to [...]
            Absent lanes of each word.
        half : bool
            Whether the unit has the half bit.

        Returns
        -------
        int64 [...]
        """

    @classmethod
    def dead_offset(cls, words: np.ndarray, absent: np.ndarray, *, half: bool) -> np.ndarray:
        """Offset of each word where it is padding: equal to :meth:`offset`, or the layer cannot be padded."""
        return cls.offset(words, absent, half=half)

    @staticmethod
    @abstractmethod
    def word_range(lanes: int, activation_bits: int, *, half: bool) -> tuple[int, int]:
        """Least and greatest ``sum`` that the unit can return."""


class XnorSpec(UnitSpec):
    """Binary times binary. The sum is a population count: twice it is the products plus ``lanes``.

    A padded tap must add nothing, whatever its weights, so it counts as half of its lanes. A word
    whose absent lanes are odd in number would then be off by one against a padded tap; the half bit
    makes up for it. Only layers with padding and such a word need that bit.
    """

    NAME = "xnor"
    SHIFT = 1

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        return isinstance(weights, Binary) and isinstance(activations, Binary)

    @staticmethod
    def latency(lanes: int) -> int:
        return 1 + (-(-lanes // 4) - 1).bit_length()

    @staticmethod
    def fill(absent: int) -> np.ndarray:
        return (np.arange(absent) >= absent // 2).astype(np.int64)

    @staticmethod
    def offset(words: np.ndarray, absent: np.ndarray, *, half: bool) -> np.ndarray:
        lanes = words.shape[-1]
        return np.broadcast_to(lanes - (0 if half else absent % 2), words.shape[:-1]).astype(np.int64)

    @classmethod
    def dead_offset(cls, words: np.ndarray, absent: np.ndarray, *, half: bool) -> np.ndarray:
        lanes = words.shape[-1]
        return np.full(words.shape[:-1], lanes if half else lanes // 2 * 2, np.int64)

    @staticmethod
    def word_range(lanes: int, activation_bits: int, *, half: bool) -> tuple[int, int]:
        return (0, 2 * lanes + 1) if half else (0, lanes)


class SignSpec(UnitSpec):
    """Binary weights, unsigned activations: neighbours in pairs, each pair added or subtracted.

    The sum and the difference of two activations are the same for every filter, so a column forms
    them once; a filter picks one and may negate it. ``-v == ~v + 1``: a word is owed one for each
    pair whose first weight is -1.
    """

    NAME = "sign"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights are binary and the activations unsigned without a zero point."""
        return (
            isinstance(weights, Binary)
            and isinstance(activations, Uniform)
            and not activations.signed
            and activations.zero_point == 0
        )

    @staticmethod
    def latency(lanes: int) -> int:
        """Pairs, then an adder tree over them."""
        return 1 + max(1, (-(-lanes // 2) - 1).bit_length())

    @staticmethod
    def fill(absent: int) -> np.ndarray:
        """All +1: nothing is owed."""
        return np.ones(absent, np.int64)

    @staticmethod
    def offset(words: np.ndarray, absent: np.ndarray, *, half: bool) -> np.ndarray:
        """Less one for each pair that is negated."""
        return -(words[..., ::2] == 0).sum(-1)

    @staticmethod
    def word_range(lanes: int, activation_bits: int, *, half: bool) -> tuple[int, int]:
        """All activations at their greatest, negated or not."""
        top = (1 << activation_bits) - 1
        return -lanes * top - -(-lanes // 2), lanes * top
