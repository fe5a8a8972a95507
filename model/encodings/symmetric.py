"""A few integers round zero: ternary and five-level weights."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings.base import Encoding
from rowloom.model.errors import RowloomError


@dataclass(frozen=True, slots=True)
class _Symmetric(Encoding):
    """-``limit`` to +``limit``, stored in two's complement."""

    kind = "symmetric"
    limit: ClassVar[int] = 0

    @property
    def bits(self) -> int:
        """Width of a code."""
        return self.limit.bit_length() + 1

    @property
    def signed(self) -> bool:
        """Codes are two's complement."""
        return True

    @property
    def code_min(self) -> int:
        """Least code; one more would fit in the bits and is never used."""
        return -self.limit

    @property
    def code_max(self) -> int:
        """Greatest code."""
        return self.limit

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the code itself."""
        return np.asarray(codes, dtype=np.int64)

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return integer values of at most ``limit`` in magnitude."""
        array = np.asarray(values)
        wrong = array[~((np.abs(array) <= self.limit) & (array == np.rint(array)))]
        if wrong.size:
            raise RowloomError(
                str(self), f"value must be an integer in {-self.limit} to {self.limit}, not {wrong.flat[0]}"
            )
        return array.astype(self.dtype)


@dataclass(frozen=True, slots=True)
class Ternary(_Symmetric):
    """-1, 0, +1.

    References
    ----------
    Li, Zhang, Liu, "Ternary Weight Networks", 2016, section 2.
    """

    kind = "ternary"
    limit = 1


@dataclass(frozen=True, slots=True)
class Quinary(_Symmetric):
    """-2 to +2: the five-level extension of ternary weights."""

    kind = "quinary"
    limit = 2
