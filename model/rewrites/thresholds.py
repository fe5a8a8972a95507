"""What a layer does with its sums, as thresholds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import requantize
from rowloom.model.bisection import first_reached
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
    codes = target.every_code[1:]

    def reached(sums: Integers) -> NDArray[np.bool_]:
        given = requantize(
            sums.T,
            multiplier=post.multiplier,
            shift=post.shift,
            zero_point=post.output_zero_point,
            code_min=target.code_min,
            code_max=target.code_max,
        )
        return np.asarray(codes <= given.T)

    first = np.broadcast_to(lows, (len(lows), len(codes)))
    return first_reached(reached, first, highs), np.ones(len(lows), np.int8)
