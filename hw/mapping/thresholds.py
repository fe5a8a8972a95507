"""Threshold memories: where the codes of every filter begin, over the units' offset sums."""

from collections.abc import Iterable, Sequence

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.step import Step
from rowloom.model.rewrites.thresholds import thresholds_of

__all__ = ["Table", "sum_span", "threshold_tables", "threshold_words"]

#: What :func:`threshold_tables` gives.
Table = tuple[np.ndarray, np.ndarray]

#: Beyond every sum.
_FAR = 1 << 56


def sum_span(step: Step, group: int) -> tuple[int, int]:
    """Least and greatest sum of a filter as it leaves the drain, in the units' offset form."""
    if step.path == "vector":
        return step.span
    low, high = step.row_range(group)
    scale = step.fold.rows_summed << step.array.spec.shift
    return low * scale, high * scale


def threshold_tables(step: Step, config: ArrayConfig, levels: int) -> Table:
    """Thresholds and inversions of a layer's emissions.

    Returns
    -------
    int64 [emissions, drains, 2^levels - 1]
        Ascending thresholds of the filter that each drain lane gives at each emission. Those that
        the layer lacks are never reached; in falling filters, whose count is inverted, always.
        For raw sums every entry is what must be taken off the sum.
    int64 [emissions, drains]
        Whether the filter falls.
    """
    low, high = sum_span(step, config.group)
    emissions = step.fold.blocks * step.fold.groups
    count = emissions * step.drains
    table = np.full((count, (1 << levels) - 1), high + 1, np.int64)
    falls = np.zeros(count, np.int64)
    offsets = step.weights.offsets - (0 if step.layer.bias is None else np.asarray(step.layer.bias) << step.scale)
    places = step.places
    if step.layer_post is None:
        table[places] = offsets[:, None]
    else:
        values, direction = thresholds_of(step.layer, step.bounds, step.target)
        falling = direction < 0
        # -sum >= v is the contrary of sum >= 1 - v: the order of falling thresholds turns round
        rising = np.where(falling[:, None], 1 - values[:, ::-1], values)
        rising = np.clip(rising, -_FAR, _FAR) << step.scale
        rising = np.clip(rising + offsets[:, None], low, high + 1)
        given = rising.shape[1]
        # filters that the layer does not have give code 0, whatever the least code
        if step.target.code_min:
            table[np.setdiff1d(np.arange(count), places), : -step.target.code_min] = low
        table[places, :given] = rising
        for m in np.flatnonzero(falling):
            table[places[m]] = low
            table[places[m], table.shape[1] - given :] = rising[m]
        falls[places] = falling
    return table.reshape(emissions, step.drains, -1), falls.reshape(emissions, step.drains)


def threshold_words(
    tables: Sequence[Table], which: Iterable[int], levels: int, sum_bits: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Memory words ``[lane][level]`` of the lanes ``which``.

    Level i holds ``2^i`` thresholds a filter, the first with its inversion. Layers have words in the lanes that they
    use, one behind the other.
    """
    mask = (1 << sum_bits) - 1
    lanes = []
    for k in which:
        table = np.concatenate([t[:, k] for t, _ in tables if t.shape[1] > k])  # [emissions, thresholds]
        falls = np.concatenate([f[:, k] for _, f in tables if f.shape[1] > k])
        of_levels = []
        for level in range(levels):
            # after the prefix p the next question is whether the count reaches the middle of what is left
            step = 1 << (levels - level)
            middle = [p * step + step // 2 - 1 for p in range(1 << level)]
            words = table[:, middle] & mask
            if level == 0:
                words = words | falls[:, None] << sum_bits
            of_levels.append(tuple(int(word) for word in words.reshape(-1)))
        lanes.append(tuple(of_levels))
    return tuple(lanes)
