"""Powers of two."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings.base import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOfTwo(Encoding):
    """0 and powers of two, of either sign or of none: codes count the magnitudes up.

    Code 0 is zero, code c of magnitude m = abs(c) is sign(c) * 2^(e_min + m - 1). Signed codes are
    two's complement, so codes compare as their values do.

    Parameters
    ----------
    bits : int
        Width of a code, 2 to 6 if signed, 1 to 6 if not.
    e_min, e_max : int
        Least and greatest exponent, at least 0; e_max - e_min + 1 magnitudes and zero must fit in the bits.
    signed : bool
        Whether negative powers belong to it.

    References
    ----------
    Miyashita, Lee, Murmann, "Convolutional Neural Networks using Logarithmic Data Representation", 2016, section 3.
    """

    kind = "power_of_two"

    bits: int = field()
    e_min: int = field()
    e_max: int = field()
    signed: bool = True

    def __post_init__(self) -> None:
        for name in ("bits", "e_min", "e_max"):
            if type(getattr(self, name)) is not int:
                raise RowloomError("PowerOfTwo", f"{name} must be an integer, not {getattr(self, name)!r}")
        if type(self.signed) is not bool:
            raise RowloomError("PowerOfTwo", f"signed must be True or False, not {self.signed!r}")
        if not 1 + self.signed <= self.bits <= 6:
            raise RowloomError("PowerOfTwo", f"bits must be {1 + self.signed} to 6, not {self.bits}")
        if not 0 <= self.e_min <= self.e_max < MAX_BITS:
            raise RowloomError(
                "PowerOfTwo",
                f"exponents must be 0 to {MAX_BITS - 1} and ascend, not e_min {self.e_min} and e_max {self.e_max}",
            )
        if self.magnitudes >= 1 << (self.bits - self.signed):
            raise RowloomError("PowerOfTwo", f"{self.magnitudes} magnitudes and zero do not fit in {self.bits} bits")

    @property
    def magnitudes(self) -> int:
        """How many powers there are."""
        return self.e_max - self.e_min + 1

    @property
    def code_min(self) -> int:
        """Least code."""
        return -self.magnitudes if self.signed else 0

    @property
    def code_max(self) -> int:
        """Greatest code."""
        return self.magnitudes

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return sign(code) * 2^(e_min + abs(code) - 1), or 0."""
        array = np.asarray(codes, dtype=np.int64)
        return np.sign(array) * (np.int64(1) << (self.e_min + np.maximum(np.abs(array), 1) - 1))

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return the codes of zeros and powers of two."""
        array = np.asarray(values)
        codes = np.zeros(array.shape, np.int64)
        for code in range(self.code_min, self.code_max + 1):
            codes[array == int(self.decode(code))] = code
        wrong = array[self.decode(codes) != array]
        if wrong.size:
            sign = "+-" if self.signed else ""
            raise RowloomError(
                str(self), f"value must be 0 or {sign}2^{self.e_min} to {sign}2^{self.e_max}, not {wrong.flat[0]}"
            )
        return codes.astype(self.dtype)
