"""Thresholds beside their line: which of them to leave to single sums, so that a line serves the rest."""

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.mapping.rising import Rising
from rowloom.hw.mapping.segment import Segment, best_step, lateness, places, segment

__all__ = ["MOST_MENDS", "loose_thresholds", "mends_of"]

#: Most sums of a filter that are corrected.
MOST_MENDS = 4

#: Filters that are searched at a time: each becomes a few at every mend.
_CHUNK = 16

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def loose_thresholds(rising: Rising, levels: int, fraction: int) -> Booleans | None:
    """The fewest thresholds [M, N] of each filter without which a straight line serves all others, if few are enough.

    A loose threshold may come a sum earlier or later. Of a filter without a line, some of the thresholds that bind the
    step of the widest room (two or three, as the room is a minimum of straight lines) must be loose; so all ways to
    loosen one of them are tried, then all ways to loosen another.

    References
    ----------
    Matousek: On Geometric Optimization with Few Violated Constraints, Discrete & Computational Geometry 14, 1995.
    """
    loose = np.zeros(rising.values.shape, np.bool_)
    left = np.flatnonzero(_room(rising, levels, fraction, loose)[1] < 0)
    if len(left) and (_room(rising.some(left), levels, fraction, ~loose[left])[1] < 0).any():
        return None
    for start in range(0, len(left), _CHUNK):
        chunk = left[start : start + _CHUNK]
        found = _search(rising.some(chunk), levels, fraction)
        if found is None:
            return None
        loose[chunk] = found
    return loose


def mends_of(
    rising: Rising, step: Integers, start: Integers, levels: int, fraction: int
) -> tuple[Integers, Integers] | None:
    """Sums that straight lines give another count than the thresholds, and their nudges: int64 [M, K] both.

    A nudge of +1 or -1 leads to a sum whose count by the line is right; it is 0 where a filter has fewer than K. None
    if that cannot be: where thresholds of a filter are so close that the next sum has yet another count.
    """
    along = places(rising.values.shape[1], levels) * step[:, None] + start[:, None]
    line = -(-(along + lateness(rising)) >> fraction)
    told = np.clip(line, rising.low[:, None], rising.high[:, None] + 1)
    wrong = (told != rising.values) & ~rising.constant[:, None]
    found: list[dict[int, int]] = []
    for m in range(len(line)):
        ours, theirs = told[m, wrong[m]], rising.values[m, wrong[m]]
        sums, nudges = np.minimum(ours, theirs), np.where(ours < theirs, -1, 1)
        for place, nudge in zip(sums, nudges, strict=True):
            if (line[m] <= place + nudge).sum() != (rising.values[m] <= place).sum():
                return None
        found.append(dict(zip(sums.tolist(), nudges.tolist(), strict=True)))
    shape = (len(line), max(map(len, found)))
    mended, nudge = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for m, mends in enumerate(found):
        mended[m, : len(mends)] = list(mends)
        nudge[m, : len(mends)] = list(mends.values())
    return mended, nudge


def _search(rising: Rising, levels: int, fraction: int) -> Booleans | None:
    """Loose thresholds of filters that have no line without; None if one of them needs too many."""
    found = np.zeros(rising.values.shape, np.bool_)
    owner = np.arange(len(found))
    loose = found.copy()
    for _ in range(MOST_MENDS):
        few = rising.some(owner)
        binding = _binding(segment(few, few.low, few.high, levels, fraction, loose), few, levels, fraction, loose)
        # every row becomes one for each threshold that binds it
        row, at = np.nonzero(binding)
        owner, loose = owner[row], loose[row]
        loose[np.arange(len(row)), at] = True
        serves = _room(rising.some(owner), levels, fraction, loose)[1] >= 0
        found[owner[serves]] = loose[serves]
        on = ~np.isin(owner, owner[serves])
        owner, loose = owner[on], loose[on]
        if not len(owner):
            return found
    return None


def _binding(bounds: Segment, rising: Rising, levels: int, fraction: int, loose: Booleans) -> Booleans:
    """Thresholds that bind the start at the best step, or a step beside it."""
    best, _ = _room(rising, levels, fraction, loose)
    rows = np.arange(len(best))
    found = np.zeros(loose.shape, np.bool_)
    for step in (best - 1, best, best + 1):
        for at in bounds.binding(step):
            found[rows, at] = True
    return found & ~loose


def _room(rising: Rising, levels: int, fraction: int, loose: Booleans) -> tuple[Integers, Integers]:
    """The best step of each filter, and the room that it leaves the start of a straight line."""
    bounds = segment(rising, rising.low, rising.high, levels, fraction, loose)
    return best_step([bounds], rising, fraction)
