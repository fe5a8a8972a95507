"""Facts of the units that form a term for every lane and add the terms."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Binary, Codebook, DoReFa, Encoding, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError

__all__ = ["LutSpec", "MultiplySpec", "QuinarySpec", "ShiftSpec", "TermSpec", "TernarySpec"]

#: Widest table of the lut unit: bits of a weight code and an activation code together.
LUT_BITS = 8


def _zero_is_zero(encoding: Encoding) -> bool:
    """Whether code 0, which padding and absent lanes hold, means 0."""
    return int(encoding.decode(0)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TermSpec(UnitSpec):
    """Base of the units that add one term a lane.

    A padded word's terms are zero on their own if activation code 0 means 0. Otherwise the unit
    gates its sum, and nothing may be owed (:attr:`gated`).
    """

    #: The terms have a register of their own.
    REGISTERED: ClassVar[bool] = False

    @property
    def gated(self) -> bool:
        """Whether padding must be gated: activation code 0 does not mean 0."""
        return not _zero_is_zero(self.activations)

    def latency(self, lanes: int) -> int:
        """An adder tree, and the terms' register."""
        return int(self.REGISTERED) + max(1, (lanes - 1).bit_length())

    def fill(self, absent: int) -> np.ndarray:
        """Weights that mean 0, or any where the absent activations mean 0."""
        return np.full(absent, self._fill_code, np.int64)

    @property
    def _fill_code(self) -> int:
        try:
            return int(self.weights.encode(0))
        except RowloomError:
            return self.weights.code_max

    def owed(self, codes: np.ndarray) -> np.ndarray:
        """How much each lane's term falls short of its product, from its weight's code."""
        return np.zeros(codes.shape, np.int64)

    def offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Less what is owed, plus what absent lanes add."""
        offset = -self.owed(words).sum(-1)
        # absent lanes multiply the fill by what activation code 0 means
        stray = int(self.weights.decode(self._fill_code)) * int(self.activations.decode(0))
        return offset + absent * stray

    def dead_offset(self, words: np.ndarray, absent: np.ndarray) -> np.ndarray:
        """Nothing, if padding is gated."""
        return np.zeros(words.shape[:-1], np.int64) if self.gated else self.offset(words, absent)

    def term_range(self) -> tuple[int, int]:
        """Least and greatest term."""
        corners = [
            a * w for a in (self.activations.min, self.activations.max) for w in (self.weights.min, self.weights.max)
        ]
        return min(*corners, 0) >> self.shift, max(*corners, 0) >> self.shift

    def word_range(self, lanes: int) -> tuple[int, int]:
        """Every term at its least or greatest."""
        low, high = self.term_range()
        return lanes * low, lanes * high


@dataclass(frozen=True, slots=True, kw_only=True)
class _OwingSpec(TermSpec):
    """Base of the units that complement instead of negating: ``-v == ~v + 1``."""

    def owed(self, codes: np.ndarray) -> np.ndarray:
        """One for each negative weight, unless padding is gated."""
        if self.gated:
            return np.zeros(codes.shape, np.int64)
        return (self.weights.decode(codes) < 0).astype(np.int64)

    def term_range(self) -> tuple[int, int]:
        """A complement reaches one further down."""
        low, high = super(_OwingSpec, self).term_range()
        return low - 1, high


@dataclass(frozen=True, slots=True, kw_only=True)
class TernarySpec(_OwingSpec):
    """Ternary weights: zero gates, +-1 passes or complements."""

    NAME = "ternary"
    TAKES = "Ternary x Uniform(zero_point=0), Binary or Ternary"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights are ternary and the activations plain integers."""
        return isinstance(weights, Ternary) and _plain(activations)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuinarySpec(_OwingSpec):
    """Five-level weights: zero gates, +-1 and +-2 pass, shift by one, complement."""

    NAME = "quinary"
    TAKES = "Quinary x Uniform(zero_point=0), Binary or Ternary"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights have five levels and the activations are plain integers."""
        return isinstance(weights, Quinary) and _plain(activations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpec(TermSpec):
    """A power of two on either side shifts the other; on both, their exponents add."""

    NAME = "shift"
    TAKES = "PowerOfTwo x Uniform(zero_point=0), Binary or PowerOfTwo, or the other way round"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether a power of two stands on one side, and it or a plain integer on the other."""
        if isinstance(weights, PowerOfTwo):
            return _plain(activations) or isinstance(activations, PowerOfTwo)
        return isinstance(activations, PowerOfTwo) and _plain(weights)

    @property
    def shift(self) -> int:
        """The least exponents: every product is a multiple of these powers."""
        return sum(e.e_min for e in (self.weights, self.activations) if isinstance(e, PowerOfTwo))


@dataclass(frozen=True, slots=True, kw_only=True)
class LutSpec(TermSpec):
    """Small codes on both sides: the product is read from a table."""

    NAME = "lut"
    TAKES = f"DoReFa or Codebook of up to 16 values x up to 4 bits ({LUT_BITS} bits together)"
    REGISTERED = True

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether one side needs a table and both are small enough for one."""
        tabled = isinstance(weights, DoReFa | Codebook) or isinstance(activations, DoReFa | Codebook)
        return tabled and weights.bits <= LUT_BITS // 2 and activations.bits <= LUT_BITS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplySpec(TermSpec):
    """Any integers: a multiplier, in DSP blocks where there are any."""

    NAME = "multiply"
    TAKES = "any two encodings of up to 16 bits"
    REGISTERED = True

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether both are at most 16 bits wide."""
        return weights.bits <= 16 and activations.bits <= 16


def _plain(encoding: Encoding) -> bool:
    """Whether the code is the value, or binary."""
    return isinstance(encoding, Binary | Ternary) or (isinstance(encoding, Uniform) and encoding.zero_point == 0)
