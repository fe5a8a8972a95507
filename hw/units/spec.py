"""What the schedule must know of a unit: arithmetic facts without gates."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rowloom.hw.units.nearest import refusal
from rowloom.model.encodings import Encoding
from rowloom.model.operation import Operation

__all__ = ["UnitSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSpec(ABC):
    """Facts of one kind of unit, for one pair of encodings.

    A unit returns ``sum`` with ``sum << shift == products + offset``: ``shift`` low zero bits are
    not computed, and ``offset`` is known from the weights. A *product* is what the unit's operation makes
    of an activation and a weight.

    Parameters
    ----------
    weights, activations : Encoding
        What the codes mean.
    half : bool
        Whether the unit carries the half bit (see :class:`rowloom.hw.units.xnor_spec.XnorSpec`).

    Raises
    ------
    RowloomError
        If the unit does not take the pair; names the nearest one that it takes.
    """

    #: Name in reports, and key of the unit table.
    NAME: ClassVar[str]

    #: What the unit sums.
    OPERATION: ClassVar[Operation] = Operation.MULTIPLY

    #: What the unit takes, for errors.
    TAKES: ClassVar[str]

    weights: Encoding
    activations: Encoding
    half: bool = False

    def __post_init__(self) -> None:
        if not self.accepts(self.weights, self.activations):
            raise refusal(type(self), self.weights, self.activations)

    @staticmethod
    @abstractmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the unit multiplies these encodings."""

    @property
    def shift(self) -> int:
        """Low zero bits of the sum that the unit leaves out."""
        return 0

    @abstractmethod
    def latency(self, lanes: int) -> int:
        """Cycles from a word to its sum."""

    @abstractmethod
    def fill(self, absent: int) -> np.ndarray:
        """Weight codes int64 [absent] for lanes that hold no channel (their activation code is 0)."""

    @abstractmethod
    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Offset of each word.

        Parameters
        ----------
        words : int64 [..., lanes]
            Weight codes of each word, absent lanes filled with :meth:`fill`.
        absent : int64, broadcast to [...]
            Absent lanes of each word.

        Returns
        -------
        int64 [...]
        """

    def dead_offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Offset of each word where it is padding: must equal :meth:`offset`, or the layer cannot be padded."""
        return self.offset(words, absent)

    @abstractmethod
    def word_range(self, lanes: int) -> tuple[int, int]:
        """Least and greatest ``sum`` that the unit can return."""
