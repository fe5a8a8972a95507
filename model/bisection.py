"""Where a function of integers changes, found on the function itself."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import count_thresholds
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.post import Thresholds

CHECKED = 1 << 14
"""Sums per channel on which thresholds are compared with the function: all, or this many."""

_AT_ONCE = 1 << 20
"""Sums, in all channels, that are compared at a time."""

MOST = 1 << 22
"""Thresholds of a layer, in all channels, that are still worth storing."""


def first_reached(
    reached: Callable[[NDArray[np.int64]], NDArray[np.bool_]], low: NDArray[np.int64], high: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the least integers at which a condition holds, ``high + 1`` where it never does.

    Parameters
    ----------
    reached : function
        Takes integers of the shape that is returned, each from ``low`` to ``high``; what holds for one holds for all
        greater ones.
    low, high : int64
        The first and last integers that are tried, of shapes that broadcast to one.
    """
    first, beyond = (each.copy() for each in np.broadcast_arrays(low, high + 1))
    while np.any(first < beyond):
        middle = (first + beyond) >> 1
        yes = reached(np.minimum(middle, high)) & (middle <= high)
        first, beyond = np.where(yes, first, np.minimum(middle + 1, beyond)), np.where(yes, middle, beyond)
    return first


def find_thresholds(
    subject: str,
    codes: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    encoding: Encoding,
    lows: list[int],
    highs: list[int],
) -> Thresholds:
    """Return thresholds that equal a function on every integer in lows[m] to highs[m].

    Parameters
    ----------
    subject : str
        Who is to blame in errors.
    codes : function
        Takes sums [K, M], returns codes [K, M] of ``encoding``; monotone in every channel.

    Raises
    ------
    RowloomError
        If the function is not monotone, or there would be more than :data:`MOST` thresholds.
    """
    levels = encoding.code_max - encoding.code_min
    if levels * len(lows) > MOST:
        raise RowloomError(
            subject, f"needs {levels} thresholds for each of {len(lows)} channels", f"at most {MOST} in all"
        )
    low, high = np.array(lows, np.int64), np.array(highs, np.int64)
    ends = codes(np.stack([low, high]))
    direction = np.where(ends[1] >= ends[0], 1, -1)
    first, last = np.where(direction > 0, low, -high), np.where(direction > 0, high, -low)
    wanted = encoding.every_code[1:, None]
    every = np.broadcast_to(first, (levels, len(first)))
    values = first_reached(lambda sums: codes(direction * sums) >= wanted, every, last)
    thresholds = Thresholds(values=values.T, direction=direction)
    points = min(int((high - low).max()) + 1, CHECKED)
    rows = max(256, _AT_ONCE // len(lows))
    for start in range(0, points, rows):
        part = np.arange(start, min(start + rows, points))[:, None]
        sums = low + (high - low) * part // max(points - 1, 1)
        counted = count_thresholds(thresholds.direction * sums, thresholds.values)
        if np.any(codes(sums) != encoding.code_min + counted.astype(np.int64)):
            raise RowloomError(subject, "neither rises nor falls with its sum", "need a monotone activation")
    return thresholds
