"""What thresholds ask of a line: for a step the starts that give every one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.mapping.rising import Rising

__all__ = ["UNBOUND", "Segment", "best_step", "lateness", "least_step", "places", "segment"]

#: No bound; twice as much still fits.
UNBOUND = 1 << 61

Integers = NDArray[np.int64]


@dataclass(slots=True)
class Segment:
    """Bounds of ``n * step + start`` from the thresholds that one start must give.

    Parameters
    ----------
    place : int64 [N]
        The n of each threshold.
    least, most : int64 [M, N]
    """

    place: Integers
    least: Integers
    most: Integers

    def starts(self, step: Integers) -> tuple[Integers, Integers]:
        """Least and greatest start of each filter with that step."""
        least, most = self._along(step)
        return least.max(axis=1), most.min(axis=1)

    def binding(self, step: Integers) -> tuple[Integers, Integers]:
        """Thresholds that bind the least and the greatest start of each filter with that step."""
        least, most = self._along(step)
        return least.argmax(axis=1), most.argmin(axis=1)

    def _along(self, step: Integers) -> tuple[Integers, Integers]:
        along = self.place * step[:, None]
        least = np.where(self.least == -UNBOUND, -UNBOUND, self.least - along)
        return least, np.where(self.most == UNBOUND, UNBOUND, self.most - along)


def places(every: int, levels: int) -> Integers:
    """The n of ``every`` thresholds of a code among those of counts of ``levels`` bits."""
    return np.arange(1, every + 1, dtype=np.int64) * ((1 << levels) // (every + 1))


def lateness(rising: Rising) -> Integers:
    """By how much, in the last place, thresholds lie above their line: int64, broadcasts against [M, N]."""
    if rising.late is None:
        return np.zeros((1, 1), np.int64)
    odd = np.arange(rising.values.shape[1]) % 2 == 0
    return (rising.late[:, None] & odd).astype(np.int64)


def segment(
    rising: Rising,
    low: Integers,
    high: Integers,
    levels: int,
    fraction: int,
    loose: NDArray[np.bool_] | None = None,
) -> Segment:
    """Bounds so that sums in low to high meet the right ones of the thresholds: ceil(x) = t is t - 1 < x <= t.

    Loose thresholds [M, N] may be met a sum earlier or later.
    """
    values = np.clip(rising.values, low[:, None], high[:, None] + 1)
    least = np.where(values > low[:, None], ((values - 1) << fraction) + 1, -UNBOUND)
    most = np.where(values <= high[:, None], values << fraction, UNBOUND)
    if rising.late is not None:
        late = lateness(rising)
        least, most = np.where(least > -UNBOUND, least - late, least), np.where(most < UNBOUND, most - late, most)
    if loose is not None:
        unit = 1 << fraction
        least = np.where(loose & (least > -UNBOUND), least - unit, least)
        most = np.where(loose & (most < UNBOUND), most + unit, most)
    return Segment(places(values.shape[1], levels), least, most)


def best_step(segments: Sequence[Segment], rising: Rising, fraction: int) -> tuple[Integers, Integers]:
    """The step of each filter whose starts are the most, and how many more than one; negative where there is none.

    The starts that a step allows are an interval, whose width is concave in the step.
    """
    width = _width_of(segments, rising)
    bound = (rising.high - rising.low + 2) << fraction
    best = _first(lambda step: width(step + 1) <= width(step), bound)
    return best, width(best)


def least_step(segments: Sequence[Segment], rising: Rising, best: Integers) -> Integers:
    """The least step of each filter that has a start, or ``best`` where none has."""
    width = _width_of(segments, rising)
    return np.where(width(best) >= 0, _first(lambda step: width(step) >= 0, best), best)


def _width_of(segments: Sequence[Segment], rising: Rising) -> Callable[[Integers], Integers]:
    """Starts that a step allows in every segment, less one; without bound for filters of one code."""
    constant = rising.constant

    def width(step: Integers) -> Integers:
        found = np.full(len(step), UNBOUND, np.int64)
        for each in segments:
            least, most = each.starts(step)
            found = np.minimum(found, most - least)
        return np.where(constant, UNBOUND, found)

    return width


def _first(holds: Callable[[Integers], NDArray[np.bool_]], bound: Integers) -> Integers:
    """Least argument of each filter up to ``bound`` from which on a condition holds."""
    low, high = np.zeros_like(bound), bound.copy()
    while (low < high).any():
        middle = (low + high) >> 1
        yes, unsettled = holds(middle), low < high
        high = np.where(yes & unsettled, middle, high)
        low = np.where(~yes & unsettled, middle + 1, low)
    return low
