"""Facts of the units that form a term for every lane and add the terms."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.units.spec import UnitSpec
from rowloom.model.encodings import Binary, Codebook, DoReFa, Encoding, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError

__all__ = [
    "LutSpec",
    "MultiplySpec",
    "QuinarySpec",
    "ShiftSpec",
    "TermSpec",
    "TernarySpec",
    "multiplier_stages",
    "value_bits",
]

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

    @property
    def stages(self) -> int:
        """Registers from the codes to a term."""
        return 0

    @property
    def gated(self) -> bool:
        """Whether padding must be gated: activation code 0 does not mean 0."""
        return not _zero_is_zero(self.activations)

    def latency(self, lanes: int) -> int:
        """The terms' registers, then an adder tree."""
        return self.stages + max(1, (lanes - 1).bit_length())

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
class _ComplementSpec(TermSpec):
    """Base of the units that complement instead of negating, which takes neither a carry nor a bit for a sign.

    A complement of k bits without sign is ``2^k - 1 - v``, one with a sign ``-1 - v``: what lies
    between it and ``-v`` depends on the weight alone. Where padding is gated nothing may be owed, and
    the units negate.
    """

    @property
    def ones(self) -> int:
        """The complement of zero."""
        if self.activations.min < 0:
            return -1
        return (1 << (self._reach * self.activations.max >> self.shift).bit_length()) - 1

    @property
    def _reach(self) -> int:
        """Greatest magnitude of a weight."""
        return max(self.weights.max, -self.weights.min)

    def owed(self, codes: np.ndarray) -> np.ndarray:
        """Less the complement of zero for each negative weight, unless padding is gated."""
        if self.gated:
            return np.zeros(codes.shape, np.int64)
        return np.where(self.weights.decode(codes) < 0, -(self.ones << self.shift), 0)

    def term_range(self) -> tuple[int, int]:
        """All that the largest weight passes, and its complements where a weight is negative."""
        if self.gated or self.weights.min >= 0:
            return super(_ComplementSpec, self).term_range()
        low, high = (self._reach * a >> self.shift for a in (self.activations.min, self.activations.max))
        return min(low, self.ones - high), max(high, self.ones - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class TernarySpec(_ComplementSpec):
    """Ternary weights: zero gates, +-1 passes or complements."""

    NAME = "ternary"
    TAKES = "Ternary x Uniform(zero_point=0), Binary or Ternary"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights are ternary and the activations plain integers."""
        return isinstance(weights, Ternary) and _plain(activations)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuinarySpec(_ComplementSpec):
    """Five-level weights: zero gates, +-1 and +-2 pass, shift by one, complement."""

    NAME = "quinary"
    TAKES = "Quinary x Uniform(zero_point=0), Binary or Ternary"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether the weights have five levels and the activations are plain integers."""
        return isinstance(weights, Quinary) and _plain(activations)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftSpec(_ComplementSpec):
    """A power of two on either side shifts the other; on both, their exponents add.

    A negative power complements what it shifts if it is the weight; what the activations negate, or
    the exponents of both sides make, is exact.
    """

    NAME = "shift"
    TAKES = "PowerOfTwo x Uniform(zero_point=0), Binary or PowerOfTwo, or the other way round"

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether a power of two stands on one side, and it or a plain integer on the other."""
        if isinstance(weights, PowerOfTwo):
            return _plain(activations) or isinstance(activations, PowerOfTwo)
        return isinstance(activations, PowerOfTwo) and _plain(weights)

    @property
    def stages(self) -> int:
        """Shifting or adding exponents; a second one where that is then negated or decoded."""
        return 2 if self.gated or self._exact_sign else 1

    @property
    def _exact_sign(self) -> bool:
        """Whether a product's sign is not the weight's alone, or is decoded together with its exponent."""
        return isinstance(self.activations, PowerOfTwo) and (
            self.activations.signed or isinstance(self.weights, PowerOfTwo)
        )

    @property
    def _complements(self) -> bool:
        """Whether negative weights complement: activations are not the ones that shift."""
        return not isinstance(self.activations, PowerOfTwo)

    def owed(self, codes: np.ndarray) -> np.ndarray:
        """As :class:`_ComplementSpec` says where weights complement, else nothing."""
        return super(ShiftSpec, self).owed(codes) if self._complements else np.zeros(codes.shape, np.int64)

    def term_range(self) -> tuple[int, int]:
        """As :class:`_ComplementSpec` says where weights complement, else that of the products."""
        return super(ShiftSpec if self._complements else _ComplementSpec, self).term_range()

    @property
    def shift(self) -> int:
        """The least exponents: every product is a multiple of these powers."""
        return sum(e.e_min for e in (self.weights, self.activations) if isinstance(e, PowerOfTwo))


@dataclass(frozen=True, slots=True, kw_only=True)
class LutSpec(TermSpec):
    """Small codes on both sides: the product is read from a table.

    In a table of up to 6 bits the entries of each weight begin at zero: its least product is owed, so
    that no entry is negative. Larger ones keep the products, whose low bits have more in common.
    """

    NAME = "lut"
    TAKES = f"DoReFa or Codebook of up to 16 values x up to 4 bits ({LUT_BITS} bits together)"

    @property
    def stages(self) -> int:
        """A table."""
        return 1

    @property
    def _from_zero(self) -> bool:
        """Whether entries begin at zero."""
        return not self.gated and self.weights.bits + self.activations.bits <= 6

    def owed(self, codes: np.ndarray) -> np.ndarray:
        """Each weight's least product where entries begin at zero."""
        if not self._from_zero:
            return np.zeros(codes.shape, np.int64)
        values = self.weights.decode(codes)
        return np.minimum(values * self.activations.min, values * self.activations.max)

    def term_range(self) -> tuple[int, int]:
        """From zero to what the largest weight makes of the activations' range, or that of the products."""
        if not self._from_zero:
            return super(LutSpec, self).term_range()
        reach = max(self.weights.max, -self.weights.min)
        return 0, reach * (self.activations.max - self.activations.min)

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether one side needs a table and both are small enough for one."""
        tabled = isinstance(weights, DoReFa | Codebook) or isinstance(activations, DoReFa | Codebook)
        return tabled and weights.bits <= LUT_BITS // 2 and activations.bits <= LUT_BITS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplySpec(TermSpec):
    """Any integers: multipliers, in DSP blocks where there are any (:class:`rowloom.hw.units.pair.MultiplierPair`)."""

    NAME = "multiply"
    TAKES = "any two encodings of up to 16 bits"

    @property
    def stages(self) -> int:
        """Registers of a multiplier."""
        return multiplier_stages(*(value_bits(e) for e in (self.weights, self.activations)))

    @staticmethod
    def accepts(weights: Encoding, activations: Encoding) -> bool:
        """Whether both are at most 16 bits wide."""
        return weights.bits <= 16 and activations.bits <= 16


def value_bits(encoding: Encoding) -> int:
    """Bits of the narrowest integer that holds an encoding's values."""
    low, high = encoding.min, encoding.max
    return max(1, max((-low - 1).bit_length(), high.bit_length()) + 1 if low < 0 else high.bit_length())


def multiplier_stages(*bits: int) -> int:
    """Registers of a multiplier of operands so wide: two bits of the narrower one at a time, then an adder tree."""
    return 1 + (-(-min(bits) // 2) - 1).bit_length()


def _plain(encoding: Encoding) -> bool:
    """Whether the code is the value, or binary."""
    return isinstance(encoding, Binary | Ternary) or (isinstance(encoding, Uniform) and encoding.zero_point == 0)
