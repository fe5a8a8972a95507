"""Weight memories: filter words in the order in which the loop nest reads them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.mapping.planes import Planes
from rowloom.hw.mapping.window import Window
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Linear
from rowloom.model.operation import Operation

__all__ = ["RowWeights", "row_weights", "takes_zeros"]


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
    zero : bool [depth]
        Words that add nothing in any row, offsets included.
    odd : bool
        The last channel word of a tap has an odd number of absent lanes.
    needs_half : bool
        Padding is only exact with the half bit.
    """

    words: np.ndarray
    offsets: np.ndarray
    zero: np.ndarray
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
    *,
    places: np.ndarray | None = None,
    others: np.ndarray | None = None,
    zero: int = 0,
) -> RowWeights:
    """Lay the weights of a layer into the rows of an array, for its fold; as bit planes if it runs so.

    Parameters
    ----------
    places : int64 [M], optional
        Place of each filter's code in an output pixel. Default: filter m at place m.
    others : int64, optional
        Places of the source's words that hold channels of other maps: they weigh 0.
    zero : int
        Activation code that means 0, which padding holds.
    """
    spec = array.spec
    codes = _dense(layer)  # [M, R, S, C]
    if source.deep > 1:
        codes = _by_row(codes, layer, source, window)
    if source.packed:
        codes = codes.reshape(*codes.shape[:2], 1, -1)
    filters, rows, taps, channels = codes.shape
    lanes, words = source.lanes, source.words
    places = np.arange(filters) if places is None else places
    here = np.zeros(words * lanes, bool)
    here[source.places] = True
    strange = np.zeros(0, np.int64) if others is None else others
    here[strange] = True
    absent_of = lanes - here.reshape(words, lanes).sum(1)

    # Kernel rows in chunks, channels in words; lanes without a channel hold the unit's fill.
    tall = fold.chunks * fold.chunk_rows
    solid = planes is not None and planes.solid
    bits = codes[..., None] if planes is None else planes.split(codes)
    stored = bits.shape[-1]
    filled = np.full((filters, tall, taps, words * lanes, stored), int(solid), np.int64)
    if not solid:
        for word, absent in enumerate(absent_of):
            spare = word * lanes + np.flatnonzero(~here[word * lanes : (word + 1) * lanes])
            filled[..., spare, :] = spec.fill(int(absent))[:, None]
    filled[:, :rows, :, source.places] = bits
    if len(strange):
        filled[:, :rows, :, strange] = _zero(layer)
    if array.stacked or array.live_padding:
        filled[:, rows:] = np.tile(spec.fill(lanes), words)[:, None]
    filled = filled.reshape(filters, fold.chunks, fold.chunk_rows, taps, words, lanes, stored)
    filled = filled.swapaxes(-1, -2)
    absent = np.zeros((fold.chunks, fold.chunk_rows, taps, words, 1), np.int64)
    absent[:] = absent_of[:, None]
    live = (np.arange(tall) < rows).reshape(fold.chunks, fold.chunk_rows, 1, 1, 1)
    if array.live_padding:  # rows beyond the kernel are live too, with no channel in any lane
        absent = np.where(live, absent, lanes)
        live = np.ones_like(live)
    owed = np.zeros(filters, np.int64)
    if zero:
        owed = zero * _seen(layer, array, filled, here, live | fold.merged, padded=window.padded and not fold.merged)
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
        if array.half:  # only the last word of a tap is told that its absent lanes are odd in number
            offsets = offsets - absent % 2 * (np.arange(words) < words - 1)[:, None]
        dead = spec.dead_offset(filled, absent)
    needs_half = (
        window.padded and not array.live_padding and not np.array_equal(offsets, np.broadcast_to(dead, offsets.shape))
    )
    times = 1 if planes is None else planes.coefficients
    total = (np.where(live, offsets, dead) * times).reshape(filters, -1).sum(1) + owed

    # Filter m = (block * groups + sum) * drains + chain; row of the chain = sum * rows_summed + j.
    # [block, group, chain, chunk, j, tap, word, plane, product] -> [(group, j, chain) = row, time, product]
    def by_row(words: np.ndarray, nothing: int) -> np.ndarray:
        padded = np.full((fold.blocks * fold.groups * config.drains, *words.shape[1:]), nothing, words.dtype)
        padded[places] = words
        padded = padded.reshape(fold.blocks, fold.groups, config.drains, *padded.shape[1:])
        time = fold.blocks * fold.accumulation // fold.planes * stored
        return padded.transpose(1, 4, 2, 0, 3, 5, 6, 7, 8).reshape(-1, time, words.shape[-1])

    in_rows = by_row(filled, int(solid))
    laid = np.zeros((array.rows, *in_rows.shape[1:]), np.int64)
    laid[: len(in_rows)] = in_rows
    adds = np.asarray((array.weights.decode(filled) != 0).any(-1) | (offsets != 0) | (dead != 0))
    zero_words = np.asarray(~by_row(adds[..., None], 0)[..., 0].any(0))
    if needs_half and (absent_of[:-1] % 2).any():
        raise RowloomError(layer.name, "pads words of an odd number of channels", "only the last word may have one")
    odd = not solid and bool(absent_of[-1] % 2)
    return RowWeights(words=laid, offsets=total, zero=zero_words, odd=odd, needs_half=bool(needs_half))


def _dense(layer: Conv2d | Linear) -> np.ndarray:
    """Weight codes int64 [M, R, S, C]; channels of other groups weigh 0."""
    codes = np.asarray(layer.weights, np.int64)
    if isinstance(layer, Linear) or layer.groups == 1:
        return codes
    filters, rows, taps, channels = codes.shape
    dense = np.full((filters, rows, taps, layer.groups * channels), _zero(layer), np.int64)
    for group, members in enumerate(np.split(np.arange(filters), layer.groups)):
        dense[members, :, :, group * channels : (group + 1) * channels] = codes[members]
    return dense


def _by_row(codes: np.ndarray, layer: Conv2d | Linear, source: Layout, window: Window) -> np.ndarray:
    """Weight codes [M, rows of the banks, input rows of each, S, C]; input rows outside of the kernel weigh 0."""
    assert isinstance(layer, Conv2d)
    filters, rows, *_ = codes.shape
    above = window.top * source.deep - layer.padding[0]
    below = window.rows * source.deep - above - rows
    if above or below:
        codes = np.pad(codes, ((0, 0), (above, below), (0, 0), (0, 0)), constant_values=_zero(layer))
    return codes.reshape(filters, window.rows, source.deep, *codes.shape[2:])


def takes_zeros(layer: Any) -> bool:
    """Whether a weight of the layer can make a channel count for nothing."""
    try:
        _zero(layer)
    except RowloomError:
        return False
    return True


def _zero(layer: Conv2d | Linear) -> int:
    """Weight code of a channel that is not the filter's."""
    groups = f"{layer.groups} groups" if isinstance(layer, Conv2d) and layer.groups > 1 else "channels beside others"
    if layer.operation is not Operation.MULTIPLY:
        raise RowloomError(layer.name, f"has {groups} of distances", "groups need products, or words of their own")
    try:
        return int(layer.weight_encoding.encode(0))
    except RowloomError:
        raise RowloomError(
            layer.name,
            f"has {groups} of {layer.weight_encoding} weights",
            "groups need a weight of 0, or words of their own",
        ) from None


def _seen(
    layer: Conv2d | Linear,
    array: ArrayParameters,
    filled: np.ndarray,
    here: np.ndarray,
    live: np.ndarray,
    *,
    padded: bool,
) -> np.ndarray:
    """Sum int64 [M] of the weights that meet the code that means 0, where a value is that of a bare code less it.

    A padded word holds that code in every lane, a live one only where there are channels: the weights of the
    other lanes must make no difference.
    """
    values = array.weights.decode(filled)  # [M, chunk, row, tap, word, plane, lane]
    of_word = here.reshape(filled.shape[-3], 1, -1)
    beside = (values * ~of_word).sum(-1)
    if padded and beside.any():
        raise RowloomError(
            layer.name,
            f"pads with {array.activations} codes, and {array.weights} weights of lanes without a channel count",
            f"channels must be a multiple of {array.lanes}",
        )
    return np.where(live, (values * of_word).sum(-1), values.sum(-1)).reshape(len(filled), -1).sum(1)
