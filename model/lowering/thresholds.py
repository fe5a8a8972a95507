"""Thresholds that equal a float function on every integer that a sum can be."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rowloom.model.arith import count_thresholds
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.post import Thresholds

CHECKED_SUMS = 1 << 14
"""Sums per channel on which found thresholds are compared with the float function: all, or this many."""


def find_thresholds(
    subject: str,
    function: Callable[[Tensor], Tensor],
    encoding: Encoding,
    lows: list[int],
    highs: list[int],
) -> Thresholds:
    """Return thresholds that equal an elementwise float function on every integer in lows[m] to highs[m].

    Each threshold is found by bisection on the function itself, which maps sums [K, M, 1, 1] to values of
    ``encoding``; then the result is compared with the function. All thresholds of all channels are found together,
    so 255 of them take as many calls of the function as one.

    Raises
    ------
    RowloomError
        If the function is not monotone in a channel.
    """
    low, high = np.array(lows), np.array(highs)

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the codes [K, M] of sums [K, M]."""
        values = function(torch.from_numpy(sums.astype(np.float32))[:, :, None, None])
        return codes_of(encoding, values)[:, :, 0, 0].astype(np.int64)

    ends = codes(np.stack([low, high]))
    direction = np.where(ends[1] >= ends[0], 1, -1)
    first, last = np.where(direction > 0, low, -high), np.where(direction > 0, high, -low)
    wanted = np.arange(encoding.code_min + 1, encoding.code_max + 1)[:, None]
    # The threshold, in direction * sum, is in below + 1 to above; last + 1 stands for never.
    below = np.broadcast_to(first - 1, (len(wanted), len(low))).copy()
    above = np.broadcast_to(last + 1, below.shape).copy()
    while np.any(above - below > 1):
        middle = np.clip((below + above) >> 1, first, last)
        reached = codes(direction * middle) >= wanted
        open_ = above - below > 1
        above = np.where(open_ & reached, middle, above)
        below = np.where(open_ & ~reached, middle, below)
    thresholds = Thresholds(values=above.T, direction=direction)
    _check_thresholds(subject, thresholds, codes, encoding, low, high)
    return thresholds


def _check_thresholds(
    subject: str,
    thresholds: Thresholds,
    codes: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    encoding: Encoding,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """Compare with the function on every sum, or on evenly spaced ones where there are too many."""
    points = min(int((high - low).max()) + 1, CHECKED_SUMS)
    steps = np.arange(points)[:, None]
    # With fewer sums than steps some are repeated, which costs little.
    for start in range(0, points, 256):
        part = steps[start : start + 256]
        sums = low + (high - low) * part // max(points - 1, 1)
        counted = count_thresholds(thresholds.direction * sums, thresholds.values)
        if np.any(codes(sums) != encoding.code_min + counted.astype(np.int64)):
            raise RowloomError(subject, "its activation is neither rising nor falling with the sum")


def codes_of(encoding: Encoding, values: Tensor) -> NDArray[np.integer]:
    """Return the codes of values."""
    return encoding.encode(values.detach().cpu().numpy())
