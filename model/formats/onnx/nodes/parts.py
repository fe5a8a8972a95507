"""Nodes after a Concat whose channels are not yet codes of one kind: each part by itself, with its constants."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.folding import Constant, moved_constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.joining import settled
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Joined, Signal

BROADCAST = ("Add", "Sub", "Mul", "Div", "PRelu", "Quant", "IntQuant", "BipolarQuant", "FloatQuant", "Trunc")
"""Nodes whose constants broadcast against what they take."""

LISTED = ("BatchNormalization", "MultiThreshold", "QuantizeLinear", "DequantizeLinear")
"""Nodes whose constants begin with an axis of all channels."""

PLAIN = (
    *("Neg", "Relu", "Clip", "LeakyRelu", "Identity", "Dropout", "Cast", "Sign", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceSum", "Pad", "Resize", "Upsample", "Transpose"),
    *(
        "Quantize",
        "Abs",
        "Celu",
        "Ceil",
        "Elu",
        "Erf",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "Mish",
        "Round",
        "Selu",
    ),
    *("Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu"),
)
"""Nodes that do the same to every channel."""

NAMED = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""Nodes that name axes anew."""


def by_parts(importer: Importer, node: Node) -> Callable[[Importer, Node], None] | None:
    """Return what imports a node part by part; None if it takes the whole."""
    values = [importer.values.get(name) for name in node.inputs if name]
    joined = [value for value in values if isinstance(value, Joined)]
    if not joined or any(each.axis != joined[0].axis or each.sizes != joined[0].sizes for each in joined):
        return None
    if any(isinstance(value, Signal) for value in values) or (len(joined) > 1 and node.kind not in ("Add", "Sub")):
        return None
    if node.kind in NAMED:
        return _renamed if _renamed_shape(importer, node, joined[0]) else None
    if node.kind in ("ReduceMean", "ReduceSum"):
        axes = node.attributes.get("axes")
        if axes is None:
            array = importer.array(node, 1)
            axes = [] if array is None else array.reshape(-1).tolist()
        rank = len(joined[0].shape)
        if not axes or joined[0].axis in [int(axis) % rank for axis in axes]:
            return None
    return _distributed if node.kind in (*BROADCAST, *LISTED, *PLAIN) else None


def _distributed(importer: Importer, node: Node) -> None:
    from rowloom.model.formats.onnx.operators import handler

    joined = next(value for value in (importer.values.get(name) for name in node.inputs) if isinstance(value, Joined))
    start = 0
    results: list[Signal] = []
    for place, size in enumerate(joined.sizes):
        names = []
        for position, name in enumerate(node.inputs):
            value = importer.values.get(name) if name else None
            if isinstance(value, Joined):
                own: Constant | Signal = value.parts[place]
            elif isinstance(value, Constant):
                own = _cut(node, position, value, joined, start, size)
            else:
                names.append(name)
                continue
            names.append(f"{name}, part {place}")
            importer.values[names[-1]] = own
        outputs = tuple(f"{name}, part {place}" if name else "" for name in node.outputs)
        part = replace(node, inputs=tuple(names), outputs=outputs)
        handler(importer, part)(importer, part)
        result = importer.values.get(outputs[0])
        if not isinstance(result, Signal):
            raise Misfit("takes channels that a Concat joined, where it must follow a quantizer")
        results.append(result)
        start += size
    axis = joined.axis
    if node.kind == "Transpose":
        order = [int(each) for each in node.attributes.get("perm", list(reversed(range(len(joined.shape)))))]
        axis = order.index(axis)
    elif node.kind in ("ReduceMean", "ReduceSum") and not node.attributes.get("keepdims", 1):
        axis -= sum(1 for each in range(axis) if each and _reduced(importer, node, each, len(joined.shape)))
    importer.set(node, settled(importer, Joined(parts=tuple(results), axis=axis), str(node)))


def _reduced(importer: Importer, node: Node, axis: int, rank: int) -> bool:
    axes = node.attributes.get("axes")
    if axes is None:
        array = importer.array(node, 1)
        axes = [] if array is None else array.reshape(-1).tolist()
    return axis in [int(each) % rank for each in axes]


def _cut(node: Node, position: int, constant: Constant, joined: Joined, start: int, size: int) -> Constant:
    """Return the part of a constant that belongs to channels ``start`` to ``start + size``."""
    data, total, rank = constant.data, sum(joined.sizes), len(joined.shape)
    if node.kind in BROADCAST:
        axis = joined.axis - rank + data.ndim
    elif node.kind in LISTED and _channel_axis(node, rank) == joined.axis:
        axis = 0
    else:
        return constant
    if not 0 <= axis < data.ndim or data.shape[axis] != total or total == 1:
        return constant
    cut: NDArray[Any] = np.take(data, range(start, start + size), axis=axis)
    return Constant(cut, bits=constant.bits)


def _channel_axis(node: Node, rank: int) -> int:
    if node.kind in ("QuantizeLinear", "DequantizeLinear"):
        return int(node.attributes.get("axis", 1)) % rank
    layout = node.attributes.get("data_layout", {3: "NWC"}.get(rank, "NC"))
    if node.kind == "MultiThreshold" and "C" in layout:
        return int(layout.index("C"))
    return rank - 1 if "last" in node.domain else 1


def _renamed_shape(importer: Importer, node: Node, joined: Joined) -> list[int] | None:
    """Return the shape after a node that names axes anew, if the channels are all there is."""
    if sum(size > 1 for size in joined.shape) > 1:
        return None
    arrays = [importer.array(node, place) for place in range(1, len(node.inputs))]
    given = [each for each in arrays if each is not None]
    shape = list(moved_constant(node, [np.zeros(joined.shape, np.int8), *given]).shape)
    return shape if shape and shape[0] == 1 and max(shape[1:], default=1) == sum(joined.sizes) else None


def _renamed(importer: Importer, node: Node) -> None:
    joined = importer.values[node.inputs[0]]
    assert isinstance(joined, Joined)
    shape = _renamed_shape(importer, node, joined)
    assert shape is not None
    axis = shape.index(sum(joined.sizes), 1)
    parts = []
    for part, size in zip(joined.parts, joined.sizes, strict=True):
        axes = part.axes.reshaped([*shape[:axis], size, *shape[axis + 1 :]])
        parts.append(part.with_axes(axes, str(node)))
    importer.set(node, Joined(parts=tuple(parts), axis=axis))
