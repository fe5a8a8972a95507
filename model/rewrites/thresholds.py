"""What a layer does with its sums, as thresholds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import requantize
from rowloom.model.encodings import Encoding
from rowloom.model.post import Requantize, Thresholds

Integers = NDArray[np.int64]
Bounds = tuple[list[int], list[int]]


def thresholds_of(layer: Any, bounds: Bounds, target: Encoding) -> tuple[Integers, NDArray[np.int8]]:
    """Thresholds [M, N] and directions [M] of a layer; of ``Requantize`` the least sum that gives each code.

    Those are found by bisection on :func:`rowloom.model.arith.requantize` itself over the sums that can be,
    and are one beyond the greatest sum where that does not give the code.

    Parameters
    ----------
    bounds : (list of int, list of int)
        Least and greatest sum of every filter (:func:`rowloom.model.bounds.sum_bounds`).
    """
    post = layer.post
    if isinstance(post, Thresholds):
        return np.asarray(post.values, np.int64), np.asarray(post.direction)
    assert isinstance(post, Requantize)
    lows, highs = (np.array(ends, np.int64)[:, None] for ends in bounds)
    codes = np.arange(target.code_min + 1, target.code_max + 1, dtype=np.int64)
    shape = (len(lows), len(codes))
    low, high = np.broadcast_to(lows, shape).copy(), np.broadcast_to(highs + 1, shape).copy()
    while (low < high).any():
        middle = (low + high) >> 1
        given = requantize(
            np.minimum(middle, highs).T,
            multiplier=post.multiplier,
            shift=post.shift,
            zero_point=post.output_zero_point,
            code_min=target.code_min,
            code_max=target.code_max,
        ).T
        reached = (given >= codes) | (low == high)
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle + 1)
    return low, np.ones(len(lows), np.int8)
