"""One bit: -1 and +1."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings.base import Encoding
from rowloom.model.errors import RowloomError


@dataclass(frozen=True, slots=True)
class Binary(Encoding):
    """-1 and +1, stored as 0 and 1."""

    kind = "binary"

    @property
    def bits(self) -> int:
        """Width of a code: 1."""
        return 1

    @property
    def signed(self) -> bool:
        """Codes are unsigned."""
        return False

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return 2 * code - 1."""
        return 2 * np.asarray(codes, dtype=np.int64) - 1

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return (value + 1) / 2 of values that are all -1 or +1."""
        array = np.asarray(values)
        wrong = array[(array != -1) & (array != 1)]
        if wrong.size:
            raise RowloomError("Binary()", f"value must be -1 or +1, not {wrong.flat[0]}")
        return (array > 0).astype(self.dtype)
