"""Encodings that a table multiplies: DoReFa levels and codebooks."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings.base import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError


@dataclass(frozen=True, slots=True)
class DoReFa(Encoding):
    """The k-bit levels of DoReFa weights: odd integers 2 * code - (2^k - 1).

    Parameters
    ----------
    k : int
        Width of a code, 1 to 8.

    References
    ----------
    Zhou et al., "DoReFa-Net", 2016, section 2.3, equation 9, times 2^k - 1.
    """

    kind = "dorefa"

    k: int

    def __post_init__(self) -> None:
        if type(self.k) is not int or not 1 <= self.k <= 8:
            raise RowloomError("DoReFa", f"k must be 1 to 8, not {self.k!r}")

    @property
    def bits(self) -> int:
        """Width of a code: k."""
        return self.k

    @property
    def signed(self) -> bool:
        """Codes are unsigned."""
        return False

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return 2 * code - (2^k - 1)."""
        return 2 * np.asarray(codes, dtype=np.int64) - ((1 << self.k) - 1)

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return (value + 2^k - 1) / 2 of odd values in range."""
        array = np.asarray(values)
        codes = np.rint((array + ((1 << self.k) - 1)) / 2).astype(np.int64)
        wrong = array[(self.decode(codes) != array) | (codes < 0) | (codes > self.code_max)]
        if wrong.size:
            raise RowloomError(
                str(self), f"value must be an odd integer in {self.min} to {self.max}, not {wrong.flat[0]}"
            )
        return codes.astype(self.dtype)


@dataclass(frozen=True, slots=True)
class Codebook(Encoding):
    """A small table of integers; the code is the place in it.

    Parameters
    ----------
    values : tuple of int
        2 to 256 integers in ascending order.
    """

    kind = "codebook"

    values: tuple[int, ...] = field()

    def __post_init__(self) -> None:
        values = self.values
        if not isinstance(values, tuple) or any(type(v) is not int for v in values):
            raise RowloomError("Codebook", f"values must be a tuple of integers, not {values!r}")
        if not 2 <= len(values) <= 256:
            raise RowloomError("Codebook", f"must have 2 to 256 values, not {len(values)}")
        if any(b <= a for a, b in pairwise(values)):
            raise RowloomError("Codebook", "values must ascend")
        if max(abs(values[0]), abs(values[-1])) >= 1 << (MAX_BITS - 1):
            raise RowloomError("Codebook", f"values must fit in {MAX_BITS} bits")

    @property
    def bits(self) -> int:
        """Width of a code."""
        return (len(self.values) - 1).bit_length()

    @property
    def signed(self) -> bool:
        """Codes are unsigned."""
        return False

    @property
    def code_max(self) -> int:
        """Greatest code."""
        return len(self.values) - 1

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the values at the codes' places."""
        return np.array(self.values, np.int64)[np.asarray(codes, dtype=np.int64)]

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return the places of values that are in the table."""
        array = np.asarray(values)
        table = np.array(self.values, np.int64)
        codes = np.clip(np.searchsorted(table, array), 0, self.code_max)
        wrong = array[table[codes] != array]
        if wrong.size:
            raise RowloomError(str(self), f"value must be one of the table, not {wrong.flat[0]}")
        return codes.astype(self.dtype)
