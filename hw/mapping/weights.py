"""Weight memories: filter words in the order in which the loop nest reads them."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold, Window
from rowloom.hw.mapping.planes import Planes
from rowloom.hw.parameters import ArrayParameters
from rowloom.model.layers import Conv2d, Linear

__all__ = ["RowWeights", "row_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWeights:
    """Filter words of one layer.

    Parameters
    ----------
    words : int64 [rows, depth, products]
        Weight codes of each row of processing elements; of a layer that runs as bit planes, all planes
        of a word follow each other.
    offsets : int64 [M]
        What the units add to each filter's sum beside its products.
    odd : bool
        The last channel word of a tap has an odd number of absent lanes.
    needs_half : bool
        Padding is only exact with the half bit.
    """

    words: np.ndarray
    offsets: np.ndarray
    odd: bool
    needs_half: bool


def row_weights(
    layer: Conv2d | Linear,
    source: Layout,
    window: Window,
    fold: Fold,
    array: ArrayParameters,
    config: ArrayConfig,
    planes: Planes | None = None,
) -> RowWeights:
    """Lay the weights of a layer into the rows of an array, for its fold; as bit planes if it runs so."""
    spec = array.spec
    codes = np.asarray(layer.weights, np.int64)  # [M, R, S, C]
    if source.packed:
        codes = codes.reshape(*codes.shape[:2], 1, -1)
    filters, rows, taps, channels = codes.shape
    lanes, words = source.lanes, source.words
    absent_last = words * lanes - channels

    # Kernel rows in chunks, channels in words; lanes without a channel hold the unit's fill.
    tall = fold.chunks * fold.chunk_rows
    solid = planes is not None and planes.solid
    bits = codes[..., None] if planes is None else planes.split(codes)
    stored = bits.shape[-1]
    filled = np.full((filters, tall, taps, words * lanes, stored), int(solid), np.int64)
    if not solid:
        filled[..., channels:, :] = spec.fill(absent_last)[:, None]
    filled[:, :rows, :, :channels] = bits
    if array.stacked:
        filled[:, rows:] = spec.fill(lanes * words)[:, None]
    filled = filled.reshape(filters, fold.chunks, fold.chunk_rows, taps, words, lanes, stored)
    filled = filled.swapaxes(-1, -2)
    absent = np.zeros((fold.chunks, fold.chunk_rows, taps, words, 1), np.int64)
    absent[..., -1, :] = absent_last
    live = (np.arange(tall) < rows).reshape(fold.chunks, fold.chunk_rows, 1, 1, 1)
    if array.stacked:  # the rows of a chunk stand side by side in one word
        filled = filled.transpose(0, 1, 3, 4, 5, 2, 6).reshape(filters, fold.chunks, 1, taps, words, stored, -1)
        absent = absent.sum(1, keepdims=True)
        live = live.any(1, keepdims=True)

    if fold.merged:  # the rows of a chunk stand side by side in the lanes that hold channels
        rows_apart = filled
        filled = np.full_like(rows_apart[:, :, :1], int(solid))
        for j in range(fold.chunk_rows):
            filled[:, :, 0, ..., j * channels : (j + 1) * channels] = rows_apart[:, :, j, ..., :channels]
        live = live.any(1, keepdims=True)
        absent = absent[:, :1]

    if solid:  # what single bits of 0 everywhere give: each agrees with a weight of 0
        offsets = dead = 2 * (filled == 0).sum(-1)
    else:
        offsets = spec.offset(filled, absent)
        dead = spec.dead_offset(filled, absent)
    needs_half = window.padded and not np.array_equal(offsets, np.broadcast_to(dead, offsets.shape))
    times = 1 if planes is None else planes.coefficients
    total = (np.where(live, offsets, dead) * times).reshape(filters, -1).sum(1)

    # Filter m = (block * groups + sum) * drains + chain; row of the chain = sum * rows_summed + j.
    # [block, group, chain, chunk, j, tap, word, plane, product] -> [(group, j, chain) = row, time, product]
    count = fold.blocks * fold.groups * config.drains
    padded = np.full((count, *filled.shape[1:]), int(solid), np.int64)
    padded[:filters] = filled
    in_space = padded.shape[2]
    padded = padded.reshape(fold.blocks, fold.groups, config.drains, *padded.shape[1:])
    time = fold.blocks * fold.accumulation // fold.planes * stored
    by_row = padded.transpose(1, 4, 2, 0, 3, 5, 6, 7, 8).reshape(fold.groups * in_space * config.drains, time, -1)
    laid = np.zeros((array.rows, time, by_row.shape[-1]), np.int64)
    laid[: len(by_row)] = by_row
    return RowWeights(words=laid, offsets=total, odd=not solid and bool(absent_last % 2), needs_half=bool(needs_half))
