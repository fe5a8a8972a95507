"""Averages that no quantizer ends, taken by the layer after them: its weights are those of every pixel of a window."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.builder import Builder
from rowloom.model.formats.onnx.layers.sums import CODE_BITS
from rowloom.model.formats.onnx.layers.weights import encoding_for
from rowloom.model.layers import AveragePool2d, Conv2d, Linear, WeightedLayer

MOST_WEIGHTS = 1 << 20
"""That a layer may have after it has taken an average."""


def through_averages(builder: Builder, layer: WeightedLayer) -> WeightedLayer:
    """Return a layer of the same sums that takes what an average before it takes, where it can.

    The accelerator stores codes of 8 bits; averages are sums of more. A layer of kernel R, stride u and dilation d
    over windows of k pixels, s apart, is one of kernel k + (R - 1) d s and stride u s.
    """
    while (pool := _pool(builder, layer)) is not None:
        if isinstance(layer, Conv2d):
            stride, dilation = layer.stride, layer.dilation
        else:
            stride = dilation = (1, 1)
        values = layer.weight_encoding.decode(layer.weights)
        shape = builder.tensors[pool.input].shape
        size = tuple(
            k + (r - 1) * d * s
            for k, r, d, s in zip(pool.kernel, values.shape[1:3], dilation, pool.stride, strict=True)
        )
        whole = shape[:2] if isinstance(layer, Linear) else size
        if len(values) * whole[0] * whole[1] * values.shape[3] > MOST_WEIGHTS:
            return layer
        spread = _spread(values, pool, dilation, (whole[0], whole[1]))
        kept = np.isin(np.unique(spread), values).all()
        encoding = encoding_for(spread, layer.weight_encoding if kept else None, 48)
        nodes = [each for note in builder.notes if note.layer == pool.name for each in note.nodes]
        builder.note(nodes, layer.name, "averages, as weights of every pixel")
        parts: dict[str, Any] = {"input": pool.input, "weights": encoding.encode(spread), "weight_encoding": encoding}
        if isinstance(layer, Conv2d):
            parts["stride"] = (stride[0] * pool.stride[0], stride[1] * pool.stride[1])
            parts["dilation"] = (1, 1)
        layer = replace(layer, **parts)
    return layer


def _pool(builder: Builder, layer: WeightedLayer) -> AveragePool2d | None:
    """Return the average that a layer takes as sums which are too wide to be stored, and could take itself."""
    if not isinstance(layer, Conv2d | Linear) or (isinstance(layer, Conv2d) and any(layer.padding)):
        return None
    if builder.tensors[layer.input].encoding.bits <= CODE_BITS:
        return None
    pool = next((each for each in builder.layers if each.output == layer.input), None)
    if not isinstance(pool, AveragePool2d) or pool.post is not None or pool.bias is not None or any(pool.padding):
        return None
    return pool


def _spread(
    values: NDArray[np.int64], pool: AveragePool2d, dilation: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.int64]:
    """Return weights [M, *size, C] of pixels for weights [M, R, S, C] of windows."""
    count, rows, columns, depth = values.shape
    result = np.zeros((count, *size, depth), np.int64)
    for r in range(rows):
        for s in range(columns):
            top, left = r * dilation[0] * pool.stride[0], s * dilation[1] * pool.stride[1]
            result[:, top : top + pool.kernel[0], left : left + pool.kernel[1]] += values[:, r : r + 1, s : s + 1]
    return result
