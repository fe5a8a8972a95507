"""Weight memories: filter words in the order in which the loop nest reads them."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold, Window
from rowloom.hw.parameters import ArrayParameters
from rowloom.model.layers import Conv2d, Linear

__all__ = ["RowWeights", "row_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWeights:
    """Filter words of one layer.

    Parameters
    ----------
    words : int64 [rows, depth, products]
        Weight codes of each row of processing elements.
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
) -> RowWeights:
    """Lay the weights of a layer into the rows of an array, for its fold."""
    spec = array.spec
    codes = np.asarray(layer.weights, np.int64)  # [M, R, S, C]
    if source.packed:
        codes = codes.reshape(*codes.shape[:2], 1, -1)
    filters, rows, taps, channels = codes.shape
    lanes, words = source.lanes, source.words
    absent_last = words * lanes - channels

    # Kernel rows in chunks, channels in words; lanes without a channel hold the unit's fill.
    tall = fold.chunks * fold.chunk_rows
    filled = np.empty((filters, tall, taps, words * lanes), np.int64)
    filled[..., :channels] = 0
    filled[..., channels:] = spec.fill(absent_last)
    filled[:, :rows, :, :channels] = codes
    if array.stacked or array.live_padding:
        filled[:, rows:] = np.tile(spec.fill(lanes), words)
    filled = filled.reshape(filters, fold.chunks, fold.chunk_rows, taps, words, lanes)
    absent = np.zeros((fold.chunks, fold.chunk_rows, taps, words), np.int64)
    absent[..., -1] = absent_last
    live = (np.arange(tall) < rows).reshape(fold.chunks, fold.chunk_rows, 1, 1)
    if array.live_padding:  # rows beyond the kernel are live too, with no channel in any lane
        absent = np.where(live, absent, lanes)
        live = np.ones_like(live)
    if array.stacked:  # the rows of a chunk stand side by side in one word
        filled = filled.transpose(0, 1, 3, 4, 2, 5).reshape(filters, fold.chunks, 1, taps, words, -1)
        absent = absent.sum(1, keepdims=True)
        live = live.any(1, keepdims=True)

    offsets = spec.offset(filled, absent)
    dead = spec.dead_offset(filled, absent)
    needs_half = (
        window.padded and not array.live_padding and not np.array_equal(offsets, np.broadcast_to(dead, offsets.shape))
    )
    total = np.where(live, offsets, dead).reshape(filters, -1).sum(1)

    # Filter m = (block * groups + sum) * drains + chain; row of the chain = sum * rows_summed + j.
    # [block, group, chain, chunk, j, tap, word, product] -> [(group, j, chain) = row, time, product]
    count = fold.blocks * fold.groups * config.drains
    padded = np.zeros((count, *filled.shape[1:]), np.int64)
    padded[:filters] = filled
    in_space = padded.shape[2]
    padded = padded.reshape(fold.blocks, fold.groups, config.drains, *padded.shape[1:])
    time = fold.blocks * fold.accumulation
    by_row = padded.transpose(1, 4, 2, 0, 3, 5, 6, 7).reshape(fold.groups * in_space * config.drains, time, -1)
    laid = np.zeros((array.rows, time, by_row.shape[-1]), np.int64)
    laid[: len(by_row)] = by_row
    return RowWeights(words=laid, offsets=total, odd=bool(absent_last % 2), needs_half=bool(needs_half))
