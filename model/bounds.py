"""Proved bounds of a layer's sums, from its actual weights and its input's range."""

import numpy as np

from rowloom.model.encodings import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, WeightedLayer


def tap_range(layer: WeightedLayer, encoding: Encoding) -> tuple[int, int]:
    """Return the least and greatest value that one tap can hold, padding included."""
    low, high = encoding.min, encoding.max
    if isinstance(layer, Conv2d) and any(layer.padding):
        pad = layer.pad_value or 0
        low, high = min(low, pad), max(high, pad)
    return low, high


def channel_bounds(layer: WeightedLayer, encoding: Encoding) -> tuple[list[int], list[int]]:
    """Return the least and the greatest sum of every output channel, bias included.

    The bounds are reached where every tap may hold every value of ``encoding`` (the input's).
    """
    low, high = tap_range(layer, encoding)
    weights = layer.weight_encoding.decode(layer.weights).reshape(layer.out_channels, -1)
    above = np.maximum(weights, 0).sum(axis=1).tolist()
    below = np.minimum(weights, 0).sum(axis=1).tolist()
    bias = [0] * layer.out_channels if layer.bias is None else layer.bias.tolist()
    lows = [b + p * low + n * high for b, p, n in zip(bias, above, below, strict=True)]
    highs = [b + p * high + n * low for b, p, n in zip(bias, above, below, strict=True)]
    return lows, highs


def magnitude_bound(layer: WeightedLayer, encoding: Encoding) -> int:
    """Return what no sum exceeds in magnitude, in whatever order its terms are added."""
    largest = max(abs(value) for value in tap_range(layer, encoding))
    weights = np.abs(layer.weight_encoding.decode(layer.weights)).reshape(layer.out_channels, -1)
    bias = 0 if layer.bias is None else int(np.abs(layer.bias).max())
    return int(weights.sum(axis=1).max()) * largest + bias


def signed_bits(low: int, high: int) -> int:
    """Return the width of the narrowest two's complement integer that holds low to high."""
    return max((low if low >= 0 else ~low).bit_length(), (high if high >= 0 else ~high).bit_length()) + 1


def check_width(name: str, low: int, high: int) -> None:
    """Raise RowloomError, naming the layer, if sums of low to high are wider than 48 bits."""
    bits = signed_bits(low, high)
    if bits > MAX_BITS:
        raise RowloomError(name, f"its sums need {bits} bits", f"must be at most {MAX_BITS}")
