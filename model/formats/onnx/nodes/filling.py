"""Pad before a node that cannot take it into windows of its own: the numbers round a map are stored."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rowloom.model.encodings import Uniform
from rowloom.model.formats.onnx.axes import Axes, Misfit
from rowloom.model.formats.onnx.layers.deferred import every_code
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal
from rowloom.model.layers import Conv2d
from rowloom.model.post import Thresholds

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

MOST_TAPS = 1 << 10
"""Of the kernel that puts numbers round a map."""

_TAKEN = (
    *("Add", "Sub", "Sum", "Concat", "DepthToSpace", "Flatten", "Gemm", "GlobalAveragePool", "MatMul", "ReduceMean"),
    *("ReduceSum", "Reshape", "Resize", "Squeeze", "Unsqueeze", "Upsample", "ArgMax", "Softmax", "LogSoftmax"),
)
"""Nodes that take numbers round a map only as part of it."""


def fill_inputs(importer: "Importer", node: Node) -> None:
    """Store the numbers that Pad put round what a node takes, if it is of those that need it."""
    signals = {name: value for name in node.inputs if isinstance(value := importer.values.get(name), Signal)}
    if node.kind not in _TAKEN or (node.kind in ("Add", "Sub") and len(signals) == 1 and len(set(node.inputs)) > 1):
        return
    for name, signal in signals.items():
        importer.values[name] = filled(importer, signal)


def filled(importer: "Importer", signal: Signal) -> Signal:
    """Return the signal with what is round it stored: a convolution that moves pixels, whose padding it is.

    No side of a convolution's padding reaches its kernel's size: one of ``top + bottom + 1`` rows, of which row
    ``bottom`` alone counts, moves the map down by ``top``.

    Raises
    ------
    Misfit
        If no code stands for the number, or sums wait for a quantizer.
    """
    if not any(signal.padding):
        return signal
    signal = importer.refreshed(signal)
    carrier = importer.quantized(signal)
    if carrier.layer is not None:
        raise Misfit("comes after Pad, before which a quantizer is needed")
    height, width, channels = importer.map_shape(signal)
    top, bottom, left, right = signal.padding
    if (height == 1 and top + bottom) or (width == 1 and left + right):
        raise Misfit("comes after Pad of an axis of size 1, where a convolution is needed")
    if (top + bottom + 1) * (left + right + 1) > MOST_TAPS:
        raise Misfit(f"comes after Pad by {max(signal.padding)} pixels, where a convolution is needed")
    tensor = importer.placed(carrier.tensor)
    encoding = importer.encoding(tensor)
    values = encoding.decode(every_code(encoding))
    with np.errstate(all="ignore"):
        numbers = signal.evaluate(carrier.start(values[:, None], np.float32), importer.names)
    same = values[(numbers == np.float32(float(signal.padded_with))).all(axis=1)]
    if not len(same):
        raise Misfit(f"comes after Pad with {float(signal.padded_with):g}, for which its input has no code")
    ones = Uniform(bits=1, signed=False)
    name = importer.layer_name("filled")
    weights = np.zeros((channels, top + bottom + 1, left + right + 1, 1), ones.dtype)
    weights[:, bottom, right] = 1
    layer = Conv2d(
        name=name,
        input=tensor,
        output=name,
        weights=weights,
        weight_encoding=ones,
        groups=channels,
        padding=(top + bottom, top + bottom, left + right, left + right),
        pad_value=int(same[0]),
        post=Thresholds.ranks(np.sort(values), channels),
    )
    importer.builder.add(layer, encoding, importer.builder.tensors[tensor].scale)
    importer.builder.note(signal.nodes, name, "padding of its own")
    sizes = {**signal.axes.sizes, "H": height + top + bottom, "W": width + left + right}
    return replace(
        signal,
        axes=Axes(signal.axes.axes, sizes),
        carrier=importer.stored(name, carrier.unit, carrier.offset),
        padding=(0, 0, 0, 0),
        nodes=(),
    )
