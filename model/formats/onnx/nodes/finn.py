"""Nodes that FINN and qonnx's own transformations put in the place of standard ones: each as those."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from rowloom.model.encodings import Binary
from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.pools import average_pool_node, max_pool_node
from rowloom.model.formats.onnx.nodes.truncation import trunc_node
from rowloom.model.formats.onnx.nodes.weighted import CHANNELS_LAST, conv_node, matmul_node
from rowloom.model.formats.onnx.nodes.windows import MOST
from rowloom.model.formats.onnx.numbers.pointwise import Scale, Shift
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal, Windows


def xnor_node(importer: Importer, node: Node) -> None:
    """XnorPopcountMatMul: how many of the signs that 0 and 1 stand for agree with those of the weights."""
    signal = importer.signal(node)
    constant = importer.constant(node, 1)
    if constant is None or not np.isin(constant.data, (0, 1)).all():
        raise Misfit("has weights other than 0 and 1")
    signs = np.where(constant.data > 0, 1, -1).astype(np.int64)
    weights = Constant(signs.astype(np.float32), Grid(signs, np.ones((), np.float32), Binary()))
    signs_in = signal.then(Scale(Parameter.scalar(2.0)), str(node)).then(Shift(Parameter.scalar(-1.0)), str(node))
    _done(importer, node, matmul_node, [signs_in, weights], {})
    result = importer.values[node.outputs[0]]
    assert isinstance(result, Signal)
    counted = result.then(Shift(Parameter.scalar(len(signs))), str(node))
    importer.set(node, counted.then(Scale(Parameter.scalar(0.5)), str(node)))


def max_pool_last_node(importer: Importer, node: Node) -> None:
    """MaxPoolNHWC."""
    inner = replace(node, kind="MaxPool", domain=CHANNELS_LAST[0])
    max_pool_node(importer, inner)


def quant_average_node(importer: Importer, node: Node) -> None:
    """QuantAvgPool2d: the sum of a window, without its lowest bits."""
    kernel, stride = (int(node.attributes.get(name, 1)) for name in ("kernel", "stride"))
    given, kept = (int(node.attributes.get(name, 1)) for name in ("ibits", "obits"))
    if not (1 <= kernel < MOST and 1 <= stride < MOST and 1 <= given <= 32 and 1 <= kept <= 32):
        raise Misfit(f"has kernel {kernel}, stride {stride}, ibits {given} and obits {kept}")
    bits = max(((1 << given) - 1) * kernel**2, 1).bit_length()
    window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
    domain = CHANNELS_LAST[0] if node.attributes.get("data_layout", "NCHW") == "NHWC" else ""
    average_pool_node(importer, replace(node, kind="AveragePool", domain=domain, attributes=window))
    average = importer.values[node.outputs[0]]
    assert isinstance(average, Signal)
    total = average.then(Scale(Parameter.scalar(kernel**2)), str(node))
    numbers = [Constant(np.asarray(each, np.float32)) for each in (1, 0, max(bits, kept), kept)]
    signed = int(node.attributes.get("signed", 0))
    _done(importer, node, trunc_node, [total, *numbers], {"rounding_mode": "FLOOR", "signed": signed})


def windows_node(importer: Importer, node: Node) -> None:
    """Im2Col: part of the MatMul that comes next."""
    importer.set(node, Windows(importer.signal(node), node))


def windows_matmul_node(importer: Importer, node: Node) -> None:
    """MatMul of Im2Col: a convolution; depthwise if each filter reads one channel, in order."""
    windows = importer.values[node.inputs[0]]
    constant = importer.constant(node, 1)
    assert isinstance(windows, Windows)
    stated = windows.node.attributes
    kernel = [int(each) for each in stated.get("kernel_size", [])]
    pads = [int(each) for each in stated.get("pad_amount", [0] * 4)]
    number = int(stated.get("pad_value", 0))
    channels = windows.signal.axes.shape[-1]
    if len(kernel) != 2 or min(kernel) < 1 or len(pads) != 4 or min(pads) < 0 or max(pads) >= MOST:
        raise Misfit(f"follows Im2Col with kernel {kernel} and pads {pads}")
    if constant is None or constant.data.ndim != 2 or len(constant.data) != kernel[0] * kernel[1] * channels:
        raise Misfit(f"has no weights for windows of {kernel[0]} x {kernel[1]} x {channels}")
    signal = windows.signal
    if number and any(pads):
        signal = replace(signal, padding=(pads[0], pads[2], pads[1], pads[3]), padded_with=Fraction(number))
        pads = [0] * 4
    attributes = {
        "kernel_shape": kernel,
        "strides": [int(each) for each in stated.get("stride", [1, 1])],
        "dilations": [int(each) for each in stated.get("dilations", [1, 1])],
        "pads": pads,
    }
    weights, groups = _filters(constant, (kernel[0], kernel[1], channels))
    attributes["group"] = groups  # type: ignore[assignment]
    inner = replace(node, kind="Conv", domain=CHANNELS_LAST[0])
    _done(importer, inner, conv_node, [signal, weights], attributes)


def _filters(constant: Constant, shape: tuple[int, int, int]) -> tuple[Constant, int]:
    """Return weights [K, M] as [M, R, S, C / groups], and how many groups there are: 1 or C."""
    count, channels = constant.data.shape[1], shape[2]

    def turned(array: Any) -> Any:
        return np.moveaxis(np.broadcast_to(array, constant.data.shape), 1, 0).reshape(count, *shape)

    grid = constant.grid
    data = turned(constant.data)
    parts = [data] if grid is None else [data, turned(grid.values), turned(grid.scale)]
    groups = 1
    if channels > 1 and count % channels == 0:
        own = np.arange(count) // (count // channels)
        if not (data * (np.arange(channels) != own[:, None])[:, None, None]).any():
            groups = channels
            parts = [part[np.arange(count), :, :, own][..., None] for part in parts]
    if grid is None:
        return Constant(parts[0]), groups
    return Constant(parts[0], Grid(parts[1], parts[2], grid.encoding)), groups


def _done(
    importer: Importer, node: Node, handler: Any, inputs: list[Signal | Constant], attributes: Mapping[str, Any]
) -> None:
    """Import a node with other inputs and attributes."""
    names = [f"{node.outputs[0]}, input {place}" for place in range(len(inputs))]
    importer.values.update(zip(names, inputs, strict=True))
    handler(importer, replace(node, inputs=tuple(names), attributes=attributes))
