"""A layer's thresholds as the gates need them: rising, one for every code, clipped to what the sums can be."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import requantize
from rowloom.model.encodings import Encoding
from rowloom.model.post import Requantize, Thresholds

__all__ = ["Rising", "rising_of", "thresholds_of"]

Integers = NDArray[np.int64]
Bounds = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rising:
    """The codes of M filters as counts of rising thresholds, over the model's sums.

    A code of n bits is ``flip ^ #{ i : sum >= values[m, i] }``, as n bits: a signed code flips its top bit,
    a falling filter every bit.

    Parameters
    ----------
    values : int64 [M, 2^n - 1]
        Ascending. ``low`` is always reached, ``high + 1`` never.
    low, high : int64 [M]
        Least and greatest sum of each filter.
    flip : int64 [M]
    late : bool [M], optional
        Filters of which the sum that lies on the line of an odd threshold (the first, third and so on) does not
        reach it: halves that are rounded to even.
    """

    values: Integers
    low: Integers
    high: Integers
    flip: Integers
    late: NDArray[np.bool_] | None = None

    def some(self, which: NDArray[np.intp]) -> "Rising":
        """Some of the filters."""
        late = None if self.late is None else self.late[which]
        values, low, high, flip = (part[which] for part in (self.values, self.low, self.high, self.flip))
        return Rising(values=values, low=low, high=high, flip=flip, late=late)

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Filters that give one code whatever the sum."""
        told = (self.values > self.low[:, None]) & (self.values <= self.high[:, None])
        return np.asarray(~told.any(axis=1))

    @property
    def counts(self) -> Integers:
        """Thresholds that the least sum reaches: the count of constant filters."""
        return np.sum(self.values <= self.low[:, None], axis=1, dtype=np.int64)


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


def rising_of(layer: Any, bounds: Bounds, target: Encoding) -> Rising:
    """The rising thresholds of a layer whose sums are within these bounds."""
    values, direction = thresholds_of(layer, bounds, target)
    low, high = (np.array(ends, np.int64) for ends in bounds)
    least = -(1 << (target.bits - 1)) if target.signed else 0
    every = (1 << target.bits) - 1
    # codes below the encoding's are always surpassed, those above it never reached
    rising = np.empty((len(values), every), np.int64)
    before = target.code_min - least
    rising[:, :before] = low[:, None]
    rising[:, before : before + values.shape[1]] = values
    rising[:, before + values.shape[1] :] = high[:, None] + 1
    falls = direction < 0
    if falls.any():
        # -sum >= v is the contrary of sum >= 1 - v, and the order turns round
        fallen = np.empty((int(falls.sum()), every), np.int64)
        fallen[:, :before] = high[falls, None] + 1
        fallen[:, before : before + values.shape[1]] = 1 - values[falls]
        fallen[:, before + values.shape[1] :] = low[falls, None]
        rising[falls] = fallen[:, ::-1]
    rising = np.clip(rising, low[:, None], high[:, None] + 1)
    flip = np.where(falls, every, 0) ^ (1 << (target.bits - 1) if target.signed else 0)
    return Rising(values=rising, low=low, high=high, flip=flip.astype(np.int64))
