"""A layer's thresholds as the gates need them: rising, one for every code, clipped to what the sums can be."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.rewrites.thresholds import thresholds_of

__all__ = ["Rising", "rising_of"]

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
