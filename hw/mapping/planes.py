"""Bit planes in time: how a layer of several bits runs on an array that multiplies single bits."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rowloom.hw.program import pair_fields
from rowloom.model.encodings import Binary, DoReFa, Encoding, Quinary, Ternary, Uniform

__all__ = ["MAX_PLANE_BITS", "Pair", "Planes", "pair_rows", "planes_for"]

#: Widest code that is taken apart into planes.
MAX_PLANE_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A turn of the array: one plane of the activations with one of the weights.

    Parameters
    ----------
    activations, weights : int
        Which bit of the activation codes; which of the stored weight planes.
    exponent : int
        The turn counts ``2^exponent`` times.
    """

    activations: int
    weights: int
    exponent: int


@dataclass(frozen=True, kw_only=True)
class Planes:
    """A pair of encodings, taken apart into sums of signs.

    With signs s, r of -1 and +1: ``2^a * activation == sum of 2^j * s_j + constant`` and ``2^w *
    weight == sum of 2^e_i * r_i``, so that for the words of a filter

        sum over pairs of 2^(j + e_i) * (products of s_j and r_i) == 2^(a + w) * (weights . activations) + constant

    where the constant depends on the filter alone. Bits of the activations lie in the banks as they
    are; the top bit of a two's complement code counts negatively, and so meets complements of the
    weights' planes.

    Parameters
    ----------
    weights, activations : Encoding
    """

    weights: Encoding
    activations: Encoding

    @property
    def bits(self) -> int:
        """Planes of the activations."""
        return self.activations.bits

    @property
    def products(self) -> int:
        """Products of single bits that stand for one of codes: bits of a weight times bits of an activation."""
        return self.weights.bits * self.activations.bits

    @property
    def solid(self) -> bool:
        """Whether activation code 0 means 0, so that padding is a live word of that code."""
        return int(self.activations.decode(0)) == 0

    @property
    def scale(self) -> int:
        """``a + w``: the sum of single products is the sum of products shifted by so much, and a constant."""
        return int(self.solid) + int(not isinstance(self.weights, Binary | DoReFa))

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The turns, exponents descending from the greatest to 0 without a gap."""
        exponents = _exponents(self.weights)
        inverted = self._inverted
        pairs = []
        for j in range(self.bits):
            top = inverted and j == self.bits - 1
            start = len(exponents) if top and self.bits > 1 else 0
            pairs += [Pair(activations=j, weights=start + i, exponent=j + e) for i, e in enumerate(exponents)]
        return tuple(sorted(pairs, key=lambda pair: (-pair.exponent, pair.activations)))

    @property
    def _inverted(self) -> bool:
        return self.solid and self.activations.signed

    @cached_property
    def coefficients(self) -> np.ndarray:
        """How often each stored weight plane counts in all, int64 [planes stored]."""
        total = np.zeros(1 + max(pair.weights for pair in self.pairs), np.int64)
        for pair in self.pairs:
            total[pair.weights] += 1 << pair.exponent
        return total

    @property
    def stored(self) -> int:
        """Weight planes that are stored."""
        return len(self.coefficients)

    def split(self, codes: np.ndarray) -> np.ndarray:
        """Stored planes of weight codes int64 [...]: bits int64 [..., planes stored]."""
        planes = _signs(self.weights, codes)
        if not self._inverted:
            return planes
        return 1 - planes if self.bits == 1 else np.concatenate([planes, 1 - planes], axis=-1)


def planes_for(weights: Encoding, activations: Encoding) -> Planes | None:
    """How a layer of these encodings runs as planes; None if it cannot, or needs no planes."""
    if isinstance(weights, Binary) and isinstance(activations, Binary):
        return None
    if weights.bits > MAX_PLANE_BITS or activations.bits > MAX_PLANE_BITS:
        return None
    plain = isinstance(activations, Uniform) and activations.zero_point == 0
    if not (plain or isinstance(activations, Binary | DoReFa | Ternary)):
        return None
    whole = isinstance(weights, Uniform) and weights.zero_point == 0 and weights.signed
    if not (whole or isinstance(weights, Binary | DoReFa | Ternary | Quinary)):
        return None
    return Planes(weights=weights, activations=activations)


def pair_rows(planes: Planes) -> list[int]:
    """Rows of the table of bit planes (:func:`rowloom.hw.program.pair_fields`)."""
    rows = []
    before = planes.pairs[0]
    for pair, after in zip(planes.pairs, (*planes.pairs[1:], None), strict=True):
        row, at = int(pair.exponent < before.exponent), 0
        for name, width in pair_fields().items():
            if name != "double" and after is not None:
                kind = "activations" if name == "a_step" else "weights"
                step = getattr(after, kind) - getattr(pair, kind)
                row |= (step & ((1 << width) - 1)) << at
            at += width
        rows.append(row)
        before = pair
    return rows


def _exponents(weights: Encoding) -> list[int]:
    """Exponent of each plane of the weights."""
    if isinstance(weights, Ternary):
        return [0, 0]
    if isinstance(weights, Quinary):
        return [1, 0, 0]
    # a constant -1 makes up for the odd sums of the planes of an integer
    return [*range(weights.bits), *([0] if isinstance(weights, Uniform) else [])]


def _signs(weights: Encoding, codes: np.ndarray) -> np.ndarray:
    """The planes of weight codes: bit 1 is the sign +1."""
    values = weights.decode(codes)
    if isinstance(weights, Ternary):  # 2 w == r + r'
        planes = [values >= 0, values > 0]
    elif isinstance(weights, Quinary):  # 2 w == 2 r + r' + r''
        planes = [values >= 0, (values == -1) | (values > 0), values > 1]
    else:
        low = 1 << (weights.bits - 1) if isinstance(weights, Uniform) else 0
        planes = [(codes + low >> i & 1) > 0 for i in range(weights.bits)]
        if isinstance(weights, Uniform):
            planes.append(np.zeros(codes.shape, np.bool_))
    return np.stack(planes, axis=-1).astype(np.int64)
