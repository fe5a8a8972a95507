"""Thresholds of a function of float32 numbers, found on the function itself."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bisection import first_reached
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError

_GREATEST = 0x7F7F_FFFF
"""Bits of the greatest finite float32."""


def float_at(place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the float32 numbers at places in their ascending order; 0 is at 0, beyond the finite ones is infinity."""
    bits = np.minimum(np.abs(place), _GREATEST + 1).astype(np.uint32)
    return np.where(place < 0, -bits.view(np.float32), bits.view(np.float32))


def float_thresholds(
    subject: str, codes: Callable[[NDArray[np.float32]], NDArray[np.int64]], encoding: Encoding, channels: int
) -> NDArray[np.float32]:
    """Return the least float32 [M, N] of each code, so that code = code_min + #{n : x >= thresholds[m, n]}.

    Parameters
    ----------
    codes : function
        Takes float32 [K, M], returns codes [K, M] of ``encoding``; rising.

    Raises
    ------
    RowloomError
        If the function does not rise.
    """
    wanted = encoding.every_code[1:, None]
    ends = codes(float_at(np.array([[-_GREATEST], [_GREATEST]])) * np.ones((1, channels), np.float32))
    if np.any(ends[1] < ends[0]):
        raise RowloomError(subject, "quantizes the input so that codes fall where it rises", "need a rising quantizer")
    lowest, highest = np.full((len(wanted), channels), -_GREATEST), np.full((len(wanted), channels), _GREATEST)
    places = first_reached(lambda place: codes(float_at(place)) >= wanted, lowest, highest)
    # What the least number already reaches, the infinite one does too.
    return float_at(np.where(places == -_GREATEST, -_GREATEST - 1, places)).T
