"""Exact numbers for sums: codes to values, in the cheapest type that holds every partial sum."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.encodings import Encoding


def exact_type(bound: int) -> np.dtype[Any]:
    """Return the cheapest type in which sums of integers are exact if none, in any order, exceeds ``bound``."""
    return np.dtype(np.float32 if bound < 1 << 24 else np.float64 if bound < 1 << 53 else np.int64)


def decode(encoding: Encoding, codes: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Return values in ``dtype``; narrow codes by look-up, which costs one pass."""
    if encoding.bits > 8:
        return encoding.decode(codes).astype(dtype)
    return look_up(encoding.every_value.astype(dtype), encoding.code_min, codes)


def look_up(table: NDArray[Any], code_min: int, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the table's entry for each code, the first one being that of ``code_min``."""
    # Negative codes index the table from its end, where a roll has put their entries.
    return np.roll(table, code_min)[codes]


def pad(values: NDArray[Any], padding: tuple[int, int, int, int], fill: int = 0) -> NDArray[Any]:
    """Return maps [N, H, W, C] with rows and columns of ``fill`` around them: top, bottom, left, right."""
    if not any(padding):
        return values
    top, bottom, left, right = padding
    count, height, width, channels = values.shape
    padded = np.full((count, top + height + bottom, left + width + right, channels), fill, values.dtype)
    padded[:, top : top + height, left : left + width] = values
    return padded
