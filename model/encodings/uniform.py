"""Equally spaced integers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings.base import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Encoding):
    """Equally spaced integers: value = code - zero_point.

    Parameters
    ----------
    bits : int
        Width of a code, 1 to 48.
    signed : bool
        Whether a code is two's complement.
    zero_point : int
        The code that means 0; need not be a code itself.
    """

    kind = "uniform"

    bits: int = field()
    signed: bool = field()
    zero_point: int = 0

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= MAX_BITS:
            raise RowloomError("Uniform", f"bits must be 1 to {MAX_BITS}, not {self.bits!r}")
        if type(self.signed) is not bool:
            raise RowloomError("Uniform", f"signed must be True or False, not {self.signed!r}")
        if type(self.zero_point) is not int or abs(self.zero_point) >= 1 << MAX_BITS:
            raise RowloomError(
                "Uniform",
                f"zero_point must be an integer of at most {MAX_BITS} bits, not {self.zero_point!r}",
            )

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return code - zero_point."""
        return np.asarray(codes, dtype=np.int64) - self.zero_point

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return value + zero_point of integer values in ``min`` to ``max``."""
        array = np.asarray(values)
        wrong = array[~((array >= self.min) & (array <= self.max) & (array == np.rint(array)))]
        if wrong.size:
            raise RowloomError(
                str(self),
                f"value must be an integer in {self.min} to {self.max}, not {wrong.flat[0]}",
            )
        return (array.astype(np.int64) + self.zero_point).astype(self.dtype)
