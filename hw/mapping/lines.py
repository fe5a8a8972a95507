"""Thresholds on lines: for every filter a step and a start that give all of its thresholds exactly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.mapping.rising import Rising, rising_of
from rowloom.model.layers import SummingLayer
from rowloom.model.network import Network

__all__ = ["MAX_FRACTION", "Lines", "NetworkLines", "fit_lines", "lines_of"]

#: Most fraction bits of a step and a start.
MAX_FRACTION = 24

#: No bound; twice as much still fits.
_NONE = 1 << 61

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
    """

    step: Integers
    pivot: Integers
    starts: Integers
    flip: Integers
    constant: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkLines:
    """The lines of all layers of a network that have thresholds, by name."""

    levels: int
    fraction: int
    bent: bool
    layers: Mapping[str, Lines]

    def refined(self, fraction: int, *, bent: bool) -> "NetworkLines":
        """The same lines with at least so many fraction bits, and bent if there are two starts for others' sake."""
        more = max(0, fraction - self.fraction)
        layers = {
            name: replace(line, step=line.step << more, starts=line.starts << more)
            for name, line in self.layers.items()
        }
        return replace(self, fraction=self.fraction + more, bent=self.bent or bent, layers=layers)


@dataclass(slots=True)
class _Segment:
    """Bounds of ``n * step + start`` from the thresholds that one start must give."""

    place: Integers
    least: Integers
    most: Integers

    def starts(self, step: Integers) -> tuple[Integers, Integers]:
        """Least and greatest start of each filter with that step."""
        along = self.place * step[:, None]
        least = np.where(self.least == -_NONE, -_NONE, self.least - along).max(axis=1)
        most = np.where(self.most == _NONE, _NONE, self.most - along).min(axis=1)
        return least, most


def _segment(values: Integers, low: Integers, high: Integers, place: Integers, fraction: int) -> _Segment:
    """Bounds so that sums in low to high meet the right ones of the thresholds: ceil(x) = t is t - 1 < x <= t."""
    values = np.clip(values, low[:, None], high[:, None] + 1)
    least = np.where(values > low[:, None], ((values - 1) << fraction) + 1, -_NONE)
    most = np.where(values <= high[:, None], values << fraction, _NONE)
    return _Segment(place, least, most)


@lru_cache(maxsize=4)
def lines_of(network: Network, levels: int = 0) -> NetworkLines | None:
    """The lines of a network with the fewest fraction bits that serve all its layers; None if some threshold is off.

    Counts have ``levels`` bits, by default as many as the widest code.

    Straight lines if there are any; else *bent* ones, of two starts. ``Requantize`` rounds twice, halves away from
    zero both times, and so has another start for negative sums; the rounding of a float function may leave a
    threshold one off, which a second start can often mend.
    """
    encodings = {layer.name: network.tensor(layer.output).encoding for layer in network.layers}
    layers = [each for each in network.layers if isinstance(each, SummingLayer) and each.post is not None]
    if not layers:
        return None
    levels = max(levels, *(encodings[layer.name].bits for layer in layers))
    rising = [rising_of(layer, network.sum_bounds(layer), encodings[layer.name]) for layer in layers]
    reach = max(int(np.abs(ends).max()) for each in rising for ends in (each.low, each.high))
    most = min(MAX_FRACTION, 59 - levels - reach.bit_length())
    pivots, bent = [each.values[:, each.values.shape[1] // 2] for each in rising], False
    fraction = _least_fraction(rising, pivots, levels, most, bent=bent)
    if fraction is None:
        pivots, bent = [_pivot(each, levels, most) for each in rising], True
        fraction = _least_fraction(rising, pivots, levels, most, bent=bent)
    if fraction is None:
        return None
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
        layers={
            layer.name: fit_lines(each, levels, fraction, pivot, bent=bent)[0]
            for layer, each, pivot in zip(layers, rising, pivots, strict=True)
        },
    )


def _least_fraction(rising: list[Rising], pivots: list[Integers], levels: int, most: int, *, bent: bool) -> int | None:
    """The least fraction at which every filter fits, if any: one that serves does so with more bits too."""

    def serves(fraction: int) -> bool:
        return all(
            (fit_lines(each, levels, fraction, pivot, bent=bent)[1] >= 0).all()
            for each, pivot in zip(rising, pivots, strict=True)
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
    room = fit_lines(_some(rising, left), levels, fraction, zero, bent=True)[1]
    pivot[left] = zero
    left = left[room < 0]
    best = np.full(len(left), -_NONE)
    for i in range(16 if len(left) else 0):
        trial = values[left, every * (2 * i + 1) // 32]
        room = fit_lines(_some(rising, left), levels, fraction, trial, bent=True)[1]
        pivot[left] = np.where(room > best, trial, pivot[left])
        best = np.maximum(room, best)
    return pivot


def _some(rising: Rising, which: NDArray[np.intp]) -> Rising:
    return Rising(values=rising.values[which], low=rising.low[which], high=rising.high[which], flip=rising.flip[which])


def fit_lines(
    rising: Rising, levels: int, fraction: int, pivot: Integers, *, bent: bool = False
) -> tuple[Lines, Integers]:
    """The lines with the least steps; and the room that the best step leaves its start, negative where none serves.

    The starts that a step allows are an interval, whose width is concave in the step.

    Parameters
    ----------
    rising : Rising
    levels : int
        Bits of a count, at least those of the codes.
    fraction : int
    pivot : int64 [M]
    bent : bool
        Whether sums from the pivot on have a start of their own.
    """
    every = rising.values.shape[1]
    place = np.arange(1, every + 1, dtype=np.int64) * ((1 << levels) // (every + 1))
    constant = rising.constant
    sides = [(rising.low, rising.high)]
    if bent:
        sides = [(rising.low, np.minimum(rising.high, pivot - 1)), (np.maximum(rising.low, pivot), rising.high)]
    segments = [_segment(rising.values, low, high, place, fraction) for low, high in sides]

    def width(step: Integers) -> Integers:
        found = np.full(len(step), _NONE, np.int64)
        for segment in segments:
            least, most = segment.starts(step)
            found = np.minimum(found, most - least)
        return np.where(constant, _NONE, found)

    bound = (rising.high - rising.low + 2) << fraction
    best = _first(lambda step: width(step + 1) <= width(step), bound)
    room = width(best)
    step = np.where(room >= 0, _first(lambda step: width(step) >= 0, best), best)
    starts = []
    for segment in segments:
        least, most = segment.starts(step)
        starts.append(np.where(least > -_NONE, least, most))
    for one, other in ((0, -1), (-1, 0)):  # a side that no sum is on
        starts[one] = np.where(starts[one] == _NONE, starts[other], starts[one])
    flip = rising.flip ^ np.where(constant, rising.counts, 0)
    lines = Lines(
        step=np.where(constant, 0, step),
        pivot=pivot.copy(),
        starts=np.stack([starts[0], starts[-1]], axis=1),
        flip=flip << (levels - every.bit_length()),
        constant=constant,
    )
    return lines, room


def _first(holds: Callable[[Integers], NDArray[np.bool_]], bound: Integers) -> Integers:
    """Least argument of each filter up to ``bound`` from which on a condition holds."""
    low, high = np.zeros_like(bound), bound.copy()
    while (low < high).any():
        middle = (low + high) >> 1
        yes, unsettled = holds(middle), low < high
        high = np.where(yes & unsettled, middle, high)
        low = np.where(~yes & unsettled, middle + 1, low)
    return low
