"""Sums of maps through tables as sums of multiples: the vector path multiplies, and has no tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, Layer
from rowloom.model.network import Network
from rowloom.model.post import Thresholds
from rowloom.model.rewrites.thresholds import thresholds_of

#: Widest multiplier of a map: what a multiplier block takes.
MAX_BITS = 17

#: Trials from one power of two to the next.
_STEPS = 48

Integers = NDArray[np.int64]


@lru_cache(maxsize=8)
def with_multiples(network: Network) -> Network:
    """The network with every sum of maps as one of integer multiples of their values, and equal codes everywhere.

    The reference kernels of TFLite rescale each input with a rounding of its own. That is no multiple of the value, but
    it is near to one; what counts is that each of the output's thresholds divides the pairs of input codes in the
    same way. The least multipliers for which it does are found by trial, and all pairs are looked at.

    Raises
    ------
    RowloomError
        Naming a layer for which there are none.
    """
    layers = tuple(_with_multiples(network, layer) if isinstance(layer, Add) else layer for layer in network.layers)
    return network if layers == network.layers else replace(network, layers=layers)


def multipliers(layer: Add, encodings: list[Encoding]) -> tuple[list[int], int] | None:
    """Integers k and c such that every table is value * k, up to a constant, all constants together being c."""
    found, constant = [], 0
    for table, encoding in zip(layer.tables, encodings, strict=True):
        values = encoding.every_value
        steps, rises = np.diff(values), np.diff(np.asarray(table, np.int64))
        k, rest = divmod(int(rises[0]), int(steps[0]))
        if rest or not np.array_equal(rises, steps * k):
            return None
        found.append(k)
        constant += int(table[0]) - k * int(values[0])
    return found, constant


def _with_multiples(network: Network, layer: Add) -> Layer:
    encodings = [network.tensor(name).encoding for name in layer.inputs]
    exact = multipliers(layer, encodings)
    if exact is not None and max(abs(k) for k in exact[0]) < 1 << MAX_BITS:
        return layer
    if layer.post is None or len(layer.inputs) > 2 or any(encoding.bits > 8 for encoding in encodings):
        raise RowloomError(layer.name, "adds by tables that are no multiples of the values")
    target = network.tensor(layer.output).encoding
    values, direction = thresholds_of(layer, network.sum_bounds(layer), target)
    bias = np.zeros(len(values), np.int64) if layer.bias is None else layer.bias
    falls = (direction < 0)[:, None]
    wanted = np.where(falls, 1 - values, values) - bias[:, None]  # of the tables' sum, all rising or all falling
    rows, which = np.unique(wanted, axis=0, return_inverse=True)
    points = [encoding.every_value for encoding in encodings]
    sums = _outer(layer.tables)
    order = np.argsort(sums, kind="stable")
    at = np.searchsorted(sums[order], rows)
    fallback = None
    for scales in _candidates(layer.tables, points):
        gaps = _gaps(_outer([k * each for k, each in zip(scales, points, strict=True)])[order], at)
        if gaps is None:
            continue
        given = _on_lines(*gaps)
        if given is None and fallback is not None:
            continue
        divided = (gaps[1] if given is None else given)[which.reshape(-1)]
        fallback = replace(
            Add.scaled(
                encodings=encodings, multipliers=scales, name=layer.name, inputs=layer.inputs, output=layer.output
            ),
            post=Thresholds(values=np.where(falls, 1 - divided, divided), direction=direction),
        )
        if given is not None:
            break
    if fallback is None:
        raise RowloomError(layer.name, f"adds by tables that are no multiples of the values of up to {MAX_BITS} bits")
    return fallback


def _outer(tables: Sequence[Integers]) -> Integers:
    """Sums of every combination of entries, flat."""
    total = np.zeros(1, np.int64)
    for table in tables:
        total = (total[:, None] + np.asarray(table, np.int64)).reshape(-1)
    return total


def _candidates(tables: Sequence[Integers], points: Sequence[Integers]) -> Iterator[list[int]]:
    """Multipliers in the proportion of the tables' slopes, the smallest first."""
    slopes = [
        float(table[-1] - table[0]) / float(point[-1] - point[0]) for table, point in zip(tables, points, strict=True)
    ]
    steepest = max(abs(slope) for slope in slopes)
    if not steepest:
        return
    seen: list[int] = []
    for bits in range(1, MAX_BITS + 1):
        for step in range(_STEPS):
            scales = [round(slope / steepest * (1 << bits) * (1 + step / _STEPS)) for slope in slopes]
            if scales != seen and max(abs(scale) for scale in scales) < 1 << MAX_BITS:
                seen = scales
                yield scales


def _gaps(multiples: Integers, at: Integers) -> tuple[Integers, Integers] | None:
    """Between which sums thresholds divide them as places in their order do; None if they lie in another order.

    Parameters
    ----------
    multiples : int64 [combinations]
        Sums, in the order of the tables' sums.
    at : int64 [rows, N]
        Of each threshold: how many combinations are below it.

    Returns
    -------
    int64 [rows, N], int64 [rows, N]
        The greatest sum below each threshold, and the least one that reaches it.
    """
    before = np.concatenate([[multiples.min() - 1], np.maximum.accumulate(multiples)])
    after = np.concatenate([np.minimum.accumulate(multiples[::-1])[::-1], [multiples.max() + 1]])
    below, least = before[at], after[at]
    return None if (below >= least).any() else (below, least)


def _on_lines(below: Integers, least: Integers) -> Integers | None:
    """Thresholds in the gaps that lie on a line, for every row; None if some row has none."""
    found = np.empty_like(below)
    places = np.arange(below.shape[1])
    for row, (low, high) in enumerate(zip(below, least, strict=True)):
        told = (low > below.min()) & (high < least.max())  # the others are reached always or never
        if told.sum() < 2:
            return None
        at, under, over = places[told], low[told], high[told]

        def width(step: float, at: Integers = at, under: Integers = under, over: Integers = over) -> float:
            return float((over - step * at).min() - (under - step * at).max())

        # the room for a line's start is concave in its step
        left, right = 0.0, 2.0 * float((over - under.min()).max()) / max(1, int(at[-1] - at[0]))
        for _ in range(100):
            third = (right - left) / 3
            left, right = (left + third, right) if width(left + third) < width(right - third) else (left, right - third)
        step = (left + right) / 2
        if width(step) <= 0:
            return None
        start = ((over - step * at).min() + (under - step * at).max()) / 2
        found[row] = np.clip(np.ceil(step * places + start).astype(np.int64), low + 1, high)
    return found
