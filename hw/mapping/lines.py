"""Thresholds on lines: for every filter a step and a start that give all of its thresholds exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.mapping.mends import loose_thresholds, mends_of
from rowloom.hw.mapping.rising import Rising, rising_of
from rowloom.hw.mapping.segment import UNBOUND, best_step, least_step, segment
from rowloom.model.layers import SummingLayer
from rowloom.model.network import Network

__all__ = ["MAX_FRACTION", "Lines", "NetworkLines", "fit_lines", "lines_of"]

#: Most fraction bits of a step and a start.
MAX_FRACTION = 24

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """The lines of the M filters of a layer, over the model's sums.

    Threshold n of the 2^levels - 1 is ``ceil((n * step + starts[m, side]) / 2^fraction)`` wherever a sum can tell,
    where ``side`` is 0 for sums below ``pivot`` and 1 for others.

    Parameters
    ----------
    step, pivot : int64 [M]
    starts : int64 [M, 2]
        Equal in straight lines.
    flip : int64 [M]
        Turns the count of ``levels`` bits into the code, which is at its top.
    constant : bool [M]
        Filters that give one code whatever the sum: their count is 0, and they have no line.
    late : bool [M]
        Odd thresholds are ``floor(...) + 1`` of what they are the ``ceil`` of else.
    mended, nudges : int64 [M, K]
        Sums that the line gives another count than theirs, and what to add for the sum whose count by the line is
        theirs; 0 where a filter has fewer.
    """

    step: Integers
    pivot: Integers
    starts: Integers
    flip: Integers
    constant: NDArray[np.bool_]
    late: NDArray[np.bool_]
    mended: Integers
    nudges: Integers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkLines:
    """The lines of all layers of a network that have thresholds, by name; ``mends`` is their K.

    ``late`` tells whether some filter is.
    """

    levels: int
    fraction: int
    bent: bool
    mends: int
    late: bool
    layers: Mapping[str, Lines]

    def refined(self, fraction: int, *, bent: bool) -> "NetworkLines":
        """The same lines with at least so many fraction bits, and bent if there are two starts for others' sake."""
        more = max(0, fraction - self.fraction)
        layers = {
            name: replace(line, step=line.step << more, starts=line.starts << more)
            for name, line in self.layers.items()
        }
        return replace(self, fraction=self.fraction + more, bent=self.bent or bent, layers=layers)


@lru_cache(maxsize=4)
def lines_of(network: Network, levels: int = 0) -> NetworkLines | None:
    """The lines of a network with the fewest fraction bits that serve all its layers; None if some threshold is off.

    Counts have ``levels`` bits, by default as many as the widest code.

    Straight lines if there are any; else *bent* ones, of two starts. ``Requantize`` rounds twice, halves away from
    zero both times, and so has another start for negative sums; the rounding of a float function may leave a
    threshold one off, which a second start can often mend. Else *mended* ones: straight, save for single sums.
    """
    encodings = {layer.name: network.tensor(layer.output).encoding for layer in network.layers}
    layers = [each for each in network.layers if isinstance(each, SummingLayer) and each.post is not None]
    if not layers:
        return None
    levels = max(levels, *(encodings[layer.name].bits for layer in layers))
    rising = [rising_of(layer, network.sum_bounds(layer), encodings[layer.name]) for layer in layers]
    reach = max(int(np.abs(ends).max()) for each in rising for ends in (each.low, each.high))
    most = min(MAX_FRACTION, 59 - levels - reach.bit_length())
    rising = [_with_late(each, levels, most) for each in rising]
    pivots, bent = [each.values[:, each.values.shape[1] // 2] for each in rising], False
    fraction = _least_fraction(rising, pivots, levels, most, bent=bent)
    if fraction is None:
        pivots, bent = [_pivot(each, levels, most) for each in rising], True
        fraction = _least_fraction(rising, pivots, levels, most, bent=bent)
    if fraction is None:
        return _mended(layers, rising, levels, most)
    while bent and fraction:  # other pivots may do with less
        others = [_pivot(each, levels, fraction - 1) for each in rising]
        less = _least_fraction(rising, others, levels, fraction - 1, bent=bent)
        if less is None:
            break
        pivots, fraction = others, less
    return NetworkLines(
        levels=levels,
        fraction=fraction,
        bent=bent,
        mends=0,
        late=_any_late(rising),
        layers={
            layer.name: fit_lines(each, levels, fraction, pivot, bent=bent)[0]
            for layer, each, pivot in zip(layers, rising, pivots, strict=True)
        },
    )


def _mended(layers: Sequence[SummingLayer], rising: list[Rising], levels: int, most: int) -> NetworkLines | None:
    """Straight lines on which all but a few thresholds of every filter lie."""
    loose = []
    for each in rising:
        found = loose_thresholds(each, levels, most)
        if found is None:
            return None
        loose.append(found)
    pivots = [each.values[:, each.values.shape[1] // 2] for each in rising]
    fraction = _least_fraction(rising, pivots, levels, most, bent=False, loose=loose)
    assert fraction is not None
    lines = []
    for each, pivot, off in zip(rising, pivots, loose, strict=True):
        line, _ = fit_lines(each, levels, fraction, pivot, loose=off)
        mends = mends_of(each, line.step, line.starts[:, 0], levels, fraction)
        if mends is None:
            return None
        lines.append(replace(line, mended=mends[0], nudges=mends[1]))
    most_mends = max(line.nudges.shape[1] for line in lines)
    return NetworkLines(
        levels=levels,
        fraction=fraction,
        bent=False,
        mends=most_mends,
        late=_any_late(rising),
        layers={
            layer.name: replace(line, mended=_wider(line.mended, most_mends), nudges=_wider(line.nudges, most_mends))
            for layer, line in zip(layers, lines, strict=True)
        },
    )


def _with_late(rising: Rising, levels: int, fraction: int) -> Rising:
    """With those filters late that have a straight line by this, and none else.

    Only codes as wide as counts can be late: of narrower ones the last bit of a count does not tell.
    """
    every = rising.values.shape[1]
    if every != (1 << levels) - 1:
        return rising
    pivot = rising.values[:, every // 2]
    left = np.flatnonzero(fit_lines(rising, levels, fraction, pivot)[1] < 0)
    trial = replace(rising.some(left), late=np.ones(len(left), np.bool_))
    serves = fit_lines(trial, levels, fraction, pivot[left])[1] >= 0
    late = np.zeros(len(pivot), np.bool_)
    late[left[serves]] = True
    return replace(rising, late=late) if late.any() else rising


def _any_late(rising: Sequence[Rising]) -> bool:
    return any(each.late is not None for each in rising)


def _wider(columns: Integers, count: int) -> Integers:
    """With columns of 0 up to ``count`` of them."""
    return np.pad(columns, ((0, 0), (0, count - columns.shape[1])))


def _least_fraction(
    rising: list[Rising],
    pivots: list[Integers],
    levels: int,
    most: int,
    *,
    bent: bool,
    loose: Sequence[NDArray[np.bool_] | None] | None = None,
) -> int | None:
    """The least fraction at which every filter fits, if any: one that serves does so with more bits too."""

    def serves(fraction: int) -> bool:
        return all(
            (fit_lines(each, levels, fraction, pivot, bent=bent, loose=off)[1] >= 0).all()
            for each, pivot, off in zip(rising, pivots, loose or [None] * len(rising), strict=True)
        )

    if not serves(most):
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high) >> 1
        low, high = (low, middle) if serves(middle) else (middle + 1, high)
    return low


def _pivot(rising: Rising, levels: int, fraction: int) -> Integers:
    """A pivot in the middle where that serves, else at a sum of 0, else the best of some thresholds."""
    values = rising.values
    every = values.shape[1]
    pivot = values[:, every // 2].copy()
    left = np.flatnonzero(fit_lines(rising, levels, fraction, pivot, bent=True)[1] < 0)
    zero = np.clip(0, rising.low, rising.high)[left]
    room = fit_lines(rising.some(left), levels, fraction, zero, bent=True)[1]
    pivot[left] = zero
    left = left[room < 0]
    best = np.full(len(left), -UNBOUND)
    for i in range(16 if len(left) else 0):
        trial = values[left, every * (2 * i + 1) // 32]
        room = fit_lines(rising.some(left), levels, fraction, trial, bent=True)[1]
        pivot[left] = np.where(room > best, trial, pivot[left])
        best = np.maximum(room, best)
    return pivot


def fit_lines(
    rising: Rising,
    levels: int,
    fraction: int,
    pivot: Integers,
    *,
    bent: bool = False,
    loose: NDArray[np.bool_] | None = None,
) -> tuple[Lines, Integers]:
    """The lines with the least steps; and the room that the best step leaves its start, negative where none serves.

    Parameters
    ----------
    rising : Rising
    levels : int
        Bits of a count, at least those of the codes.
    fraction : int
    pivot : int64 [M]
    bent : bool
        Whether sums from the pivot on have a start of their own.
    loose : bool [M, N], optional
        Thresholds that may be a sum off.
    """
    every = rising.values.shape[1]
    constant = rising.constant
    sides = [(rising.low, rising.high)]
    if bent:
        sides = [(rising.low, np.minimum(rising.high, pivot - 1)), (np.maximum(rising.low, pivot), rising.high)]
    segments = [segment(rising, low, high, levels, fraction, loose) for low, high in sides]
    best, room = best_step(segments, rising, fraction)
    step = least_step(segments, rising, best)
    starts = []
    for each in segments:
        least, most = each.starts(step)
        starts.append(np.where(least > -UNBOUND, least, most))
    for one, other in ((0, -1), (-1, 0)):  # a side that no sum is on
        starts[one] = np.where(starts[one] == UNBOUND, starts[other], starts[one])
    flip = rising.flip ^ np.where(constant, rising.counts, 0)
    lines = Lines(
        step=np.where(constant, 0, step),
        pivot=pivot.copy(),
        starts=np.stack([starts[0], starts[-1]], axis=1),
        flip=flip << (levels - every.bit_length()),
        constant=constant,
        late=np.zeros(len(step), np.bool_) if rising.late is None else rising.late & ~constant,
        mended=np.zeros((len(step), 0), np.int64),
        nudges=np.zeros((len(step), 0), np.int64),
    )
    return lines, room
