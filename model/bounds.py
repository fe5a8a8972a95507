"""Proved bounds of a layer's sums, from its actual weights and its inputs' ranges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import MAX_BITS, Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Shape, SummingLayer, WeightedLayer
from rowloom.model.operation import Operation


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
    bias = [0] * layer.out_channels if layer.bias is None else layer.bias.tolist()
    weights = _weights(layer)
    if layer.operation is Operation.ADDER:
        nearest, farthest = (each.sum(axis=1).tolist() for each in _distances(layer, encoding, weights))
        return (
            [b - far for b, far in zip(bias, farthest, strict=True)],
            [b - near for b, near in zip(bias, nearest, strict=True)],
        )
    low, high = tap_range(layer, encoding)
    above = np.maximum(weights, 0).sum(axis=1).tolist()
    below = np.minimum(weights, 0).sum(axis=1).tolist()
    lows = [b + p * low + n * high for b, p, n in zip(bias, above, below, strict=True)]
    highs = [b + p * high + n * low for b, p, n in zip(bias, above, below, strict=True)]
    return lows, highs


def magnitude_bound(layer: WeightedLayer, encoding: Encoding) -> int:
    """Return what no sum exceeds in magnitude, in whatever order its terms are added."""
    bias = _largest(layer.bias)
    low, high = tap_range(layer, encoding)
    weights = _weights(layer)
    if layer.operation is Operation.ADDER:
        return int(np.maximum(weights - low, high - weights).sum(axis=1).max()) + bias
    return int(np.abs(weights).sum(axis=1).max()) * max(abs(low), abs(high)) + bias


def _weights(layer: WeightedLayer) -> NDArray[np.int64]:
    """Return the values of the weights [M, taps]."""
    return layer.weight_encoding.decode(layer.weights).reshape(layer.out_channels, -1)


def _distances(
    layer: WeightedLayer, encoding: Encoding, weights: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the least and the greatest distance of each weight from what its tap may hold, padding included."""
    farthest = np.maximum(weights - encoding.min, encoding.max - weights)
    nearest = _gaps(encoding, weights)
    if isinstance(layer, Conv2d) and any(layer.padding):
        if layer.pad_value is None:
            nearest = np.zeros_like(nearest)
        else:
            padded = np.abs(weights - layer.pad_value)
            nearest, farthest = np.minimum(nearest, padded), np.maximum(farthest, padded)
    return nearest, farthest


def _gaps(encoding: Encoding, weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distance of each weight from the nearest value of an encoding."""
    if isinstance(encoding, Uniform):
        return np.maximum(np.maximum(encoding.min - weights, weights - encoding.max), 0)
    values = np.sort(encoding.every_value)
    above = np.searchsorted(values, weights).clip(max=len(values) - 1)
    below = (above - 1).clip(min=0)
    return np.minimum(np.abs(values[above] - weights), np.abs(values[below] - weights))


def pool_bounds(layer: AveragePool2d, encoding: Encoding, shape: Shape) -> tuple[list[int], list[int]]:
    """Return the least and the greatest sum of every channel of a map of ``shape``, bias included; both are reached."""
    rows, columns = layer.taps(shape)
    down, across = layer.factors(shape)
    # What a window of equal values sums to, for a value of 1.
    row_weights = [count * factor for count, factor in zip(rows, down, strict=True)]
    column_weights = [count * factor for count, factor in zip(columns, across, strict=True)]
    weights = min(row_weights) * min(column_weights), max(row_weights) * max(column_weights)
    bias = [0] * shape[2] if layer.bias is None else layer.bias.tolist()
    low, high = min(w * encoding.min for w in weights), max(w * encoding.max for w in weights)
    return [b + low for b in bias], [b + high for b in bias]


def pool_reach(layer: AveragePool2d, encoding: Encoding, shape: Shape) -> int:
    """Return what no sum of a map of ``shape`` exceeds in magnitude, nor any part of it."""
    rows, columns = layer.taps(shape)
    down, across = layer.factors(shape)
    taps = max(map(int.__mul__, rows, down)) * max(map(int.__mul__, columns, across))
    return taps * max(abs(encoding.min), abs(encoding.max)) + _largest(layer.bias)


def add_reach(layer: Add) -> int:
    """Return what no sum exceeds in magnitude, nor any part of it."""
    return sum(_largest(table) for table in layer.tables) + _largest(layer.bias)


def sum_reach(layer: SummingLayer, shapes: Sequence[Shape], encodings: Sequence[Encoding]) -> int:
    """Return what no sum of any layer that sums exceeds in magnitude, in whatever order its terms are added."""
    if isinstance(layer, AveragePool2d):
        return pool_reach(layer, encodings[0], shapes[0])
    if isinstance(layer, Add):
        return add_reach(layer)
    return magnitude_bound(layer, encodings[0])


def _largest(values: NDArray[np.int64] | None) -> int:
    return 0 if values is None else max(abs(int(values.min())), abs(int(values.max())))


def add_bounds(layer: Add, channels: int) -> tuple[list[int], list[int]]:
    """Return the least and the greatest sum of every channel, bias included.

    They are reached where the inputs may hold every combination of their codes.
    """
    bias = [0] * channels if layer.bias is None else layer.bias.tolist()
    low, high = sum(int(table.min()) for table in layer.tables), sum(int(table.max()) for table in layer.tables)
    return [b + low for b in bias], [b + high for b in bias]


def sum_bounds(
    layer: SummingLayer, shapes: Sequence[Shape], encodings: Sequence[Encoding]
) -> tuple[list[int], list[int]]:
    """Return the least and the greatest sum of every output channel of any layer that sums, bias included.

    Parameters
    ----------
    shapes, encodings : sequences
        Of the layer's inputs, in order.
    """
    if isinstance(layer, AveragePool2d):
        return pool_bounds(layer, encodings[0], shapes[0])
    if isinstance(layer, Add):
        return add_bounds(layer, shapes[0][2])
    return channel_bounds(layer, encodings[0])


def signed_bits(low: int, high: int) -> int:
    """Return the width of the narrowest two's complement integer that holds low to high."""
    return max((low if low >= 0 else ~low).bit_length(), (high if high >= 0 else ~high).bit_length()) + 1


def check_width(name: str, low: int, high: int) -> None:
    """Raise RowloomError, naming the layer, if sums of low to high are wider than 48 bits."""
    bits = signed_bits(low, high)
    if bits > MAX_BITS:
        raise RowloomError(name, f"its sums need {bits} bits", f"must be at most {MAX_BITS}")
