"""Sums of distances: what a layer of the adder operation computes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bounds import magnitude_bound
from rowloom.model.encodings import Encoding
from rowloom.model.layers import Conv2d, Shape, WeightedLayer
from rowloom.model.windows import windows

BLOCK = 1 << 15
"""Distances that are formed together: few enough that they stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class DistanceSums:
    """A convolution or dense layer of the adder operation, prepared.

    sum[m] = direction[m] * -(sum over taps of abs(x - w[m])). A padded tap holds 0, or ``pad_value``; where that
    is not given it contributes zero, so what its 0 takes off is added again.
    """

    layer: WeightedLayer
    source: Encoding
    weights: NDArray[Any]
    """[G, taps, M // G]: weight values, of the cheapest type that holds every sum."""
    padded: NDArray[Any] | None
    """[E * F, M]: distances of padded taps that contribute nothing; None where there are none."""
    direction: NDArray[np.integer]
    """[M]: by what a sum is multiplied, +1 or -1."""

    @classmethod
    def of(cls, layer: WeightedLayer, source: Encoding, shape: Shape, direction: NDArray[np.integer]) -> "DistanceSums":
        """Return a layer with inputs of ``source`` on maps [H, W, C], prepared."""
        bound = magnitude_bound(layer, source)
        # A threshold may be one beyond the bound.
        dtype = np.dtype(np.int16 if bound < (1 << 15) - 1 else np.int32 if bound < (1 << 31) - 1 else np.int64)
        values = layer.weight_encoding.decode(layer.weights)
        groups = layer.groups if isinstance(layer, Conv2d) else 1
        grouped = values.reshape(groups, layer.out_channels // groups, -1).transpose(0, 2, 1)
        return cls(
            layer=layer,
            source=source,
            weights=np.ascontiguousarray(grouped, dtype),
            padded=_padded_distances(layer, values, shape, dtype),
            direction=direction.astype(dtype),
        )

    def sums(self, codes: NDArray[np.integer]) -> NDArray[Any]:
        """Return sums [N, E, F, M] of codes [N, H, W, C], without bias."""
        layer, groups = self.layer, len(self.weights)
        values = self.source.decode(codes).astype(self.weights.dtype)
        height, width, filters = layer.output_shape((codes.shape[1], codes.shape[2], codes.shape[3]))
        pixels = len(codes) * height * width
        if isinstance(layer, Conv2d):
            slid = windows(_pad(values, layer), layer)
            split = slid.reshape(pixels, -1, groups, slid.shape[-1] // groups)
            taps = split.transpose(2, 1, 3, 0).reshape(groups, -1, pixels)
        else:
            taps = values.reshape(1, pixels, -1).transpose(0, 2, 1)
        taps = np.ascontiguousarray(taps)
        distances = np.concatenate([_distances(w, x) for w, x in zip(self.weights, taps, strict=True)])
        sums = distances.T.reshape(len(codes), height * width, filters)
        if self.padded is not None:
            sums -= self.padded
        sums *= -self.direction
        return sums.reshape(len(codes), height, width, filters)


def _pad(values: NDArray[Any], layer: Conv2d) -> NDArray[Any]:
    top, bottom, left, right = layer.padding
    return np.pad(values, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=layer.pad_value or 0)


def _padded_distances(
    layer: WeightedLayer, values: NDArray[np.int64], shape: Shape, dtype: np.dtype[Any]
) -> NDArray[Any] | None:
    """Return the sum of abs(w) over the padded taps of every window, or None if they count or there are none."""
    if not isinstance(layer, Conv2d) or not any(layer.padding) or layer.pad_value is not None:
        return None
    inside = np.zeros((1, *shape[:2], 1), np.int64)
    dead = windows(np.pad(inside, ((0, 0), layer.padding[:2], layer.padding[2:], (0, 0)), constant_values=1), layer)
    pixels = dead.shape[1] * dead.shape[2]
    weights = np.abs(values).sum(axis=3).reshape(layer.out_channels, -1)
    return (dead.reshape(pixels, -1) @ weights.T).astype(dtype)


def _distances(weights: NDArray[Any], taps: NDArray[Any]) -> NDArray[Any]:
    """Return the sums over taps of the distance of weights [taps, M] from values [taps, pixels]: [M, pixels]."""
    filters, pixels = weights.shape[1], taps.shape[1]
    total = np.zeros((filters, pixels), taps.dtype)
    together = max(1, BLOCK // filters)
    for start in range(0, pixels, together):
        block = slice(start, start + together)
        sums = np.zeros((filters, len(taps[0, block])), taps.dtype)
        distance = np.empty_like(sums)
        for weight, tap in zip(weights, taps[:, block], strict=True):
            np.subtract(tap, weight[:, None], out=distance)
            np.abs(distance, out=distance)
            sums += distance
        total[:, block] = sums
    return total
