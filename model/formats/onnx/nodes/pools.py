"""MaxPool, AveragePool and their global forms, ReduceMean and ReduceSum."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from rowloom.model.encodings import MAX_BITS, Binary, Ternary
from rowloom.model.formats.onnx.axes import ROLES, Axes, Misfit
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.adding import recoded
from rowloom.model.formats.onnx.layers.deferred import directions, every_code
from rowloom.model.formats.onnx.layers.operands import operand
from rowloom.model.formats.onnx.nodes.weighted import CHANNELS_LAST
from rowloom.model.formats.onnx.nodes.windows import window
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Deferred, Signal
from rowloom.model.layers import Add, AveragePool2d, MaxPool2d, Shape, UnaryLayer


def as_sums(importer: Importer, signal: Signal) -> Signal:
    """Return a signal of codes as one of sums, so that what moves codes can wait until a quantizer has ended it."""
    carrier = importer.quantized(signal)
    if carrier.layer is not None:
        return signal
    importer.map_shape(signal)
    tensor = importer.placed(carrier.tensor)
    values = importer.encoding(tensor).decode(every_code(importer.encoding(tensor)))
    name = importer.layer_name("rescale")
    layer = Add(name=name, inputs=(tensor,), output=name, tables=(values,))
    return replace(signal, carrier=importer.summed(layer, carrier.unit, carrier.offset))


def moved(importer: Importer, signal: Signal, layer: UnaryLayer) -> Signal:
    """Return the signal after a layer that moves or compares codes: at once, or as soon as there are codes.

    The layer's input is replaced by what it reads.
    """
    carrier = importer.quantized(signal)
    if carrier.layer is not None:
        deferred = Deferred(layer=layer, done=len(signal.chain), lift=carrier.lift)
        return replace(signal, carrier=replace(carrier, deferred=(*carrier.deferred, deferred)))
    tensor = importer.placed(carrier.tensor)
    layer = replace(layer, input=tensor)
    importer.builder.add(layer, importer.encoding(tensor), importer.builder.tensors[tensor].scale)
    return replace(signal, carrier=importer.stored(layer.output, carrier.unit, carrier.offset))


def max_pool_node(importer: Importer, node: Node) -> None:
    """MaxPool: of codes, or of the codes that sums will become."""
    signal = importer.signal(node)
    last = node.domain in CHANNELS_LAST
    if len(node.outputs) > 1 and node.outputs[1]:
        raise Misfit("gives the indices too")
    order = {(3, False): "NCW", (4, False): "NCHW", (3, True): "NWC", (4, True): "NHWC"}.get((signal.axes.rank, last))
    if order is None:
        raise Misfit(f"takes {signal.axes.rank} axes")
    importer.quantized(signal)
    signal, order = importer.take_map(node, signal, order)
    if any(signal.padding):
        _check_padding(importer, signal)
    shape = importer.map_shape(signal)
    kernel, stride, padding, dilation, _ = window(node, shape, order, None, signal.padding)
    _check_dilation(kernel, dilation)
    if node.attributes.get("ceil_mode", 0):
        padding = _ceiled(shape, kernel, stride, padding)
    _greatest(importer, node, replace(signal, padding=(0, 0, 0, 0)), kernel, stride, padding, order)


def _greatest(
    importer: Importer,
    node: Node,
    signal: Signal,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    axes: str | Axes,
) -> None:
    try:
        towards = directions(importer, signal)
    except Misfit:
        # Neither rises nor falls: codes can wait for the table that a quantizer makes.
        if importer.quantized(signal).layer is not None:
            raise
        towards = np.ones(1, np.int64)
        signal = as_sums(importer, signal)
    if (towards < 0).all() and importer.quantized(signal).layer is None:
        signal = _negated(importer, signal)
    elif (towards < 0).any():
        signal = as_sums(importer, signal)
    name = importer.layer_name("pool")
    layer = MaxPool2d(name=name, input="?", output=name, kernel=kernel, stride=stride, padding=padding)
    result = moved(importer, signal, layer)
    importer.builder.note((str(node),), name, "max_pool2d")
    importer.set(node, replace(result, axes=_axes(importer.map_shape(result), axes)))


def _axes(shape: Shape, axes: str | Axes) -> Axes:
    """Return the axes of a map: in an order, or those given."""
    return Axes.of_map(shape, axes) if isinstance(axes, str) else Axes(axes.axes, dict(zip(ROLES, shape, strict=True)))


def _negated(importer: Importer, signal: Signal) -> Signal:
    """Return a signal of codes with the negatives of their values, so that greater ones stand for greater numbers."""
    carrier = importer.quantized(signal)
    importer.map_shape(signal)
    tensor = importer.placed(carrier.tensor)
    own = importer.encoding(tensor)
    target = own if isinstance(own, Binary | Ternary) else uniform_between(-own.max, -own.min)
    tensor = recoded(importer, tensor, target, -1)
    return replace(signal, carrier=importer.stored(tensor, tuple(-each for each in carrier.unit), carrier.offset))


def _check_dilation(kernel: tuple[int, int], dilation: tuple[int, int]) -> None:
    if any(size > 1 and step > 1 for size, step in zip(kernel, dilation, strict=True)):
        raise Misfit(f"has dilations {dilation}, where 1 is needed")


def _check_padding(importer: Importer, signal: Signal) -> None:
    """Zeros that Pad put there may be ignored only if nothing is less."""
    carrier = importer.quantized(signal)
    if signal.padded_with:
        raise Misfit("comes after Pad with other than zeros")
    affine = signal.affine(importer.names)
    lowest = [carrier.exact(min(carrier.lows), m) for m in range(max(len(carrier.unit), len(carrier.offset)))]
    if carrier.layer is not None or affine is None or any(affine[1]) or any(low != 0 for low in lowest):
        raise Misfit("comes after Pad, whose zeros could be the greatest")


def _ceiled(
    shape: tuple[int, int, int], kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Return the padding with which windows that begin inside the map are complete."""
    result = list(padding)
    for axis, (before, after) in enumerate(((0, 1), (2, 3))):
        size = shape[axis] + padding[before] + padding[after]
        rest = (size - kernel[axis]) % stride[axis]
        extra = stride[axis] - rest
        if rest and size - kernel[axis] + extra < shape[axis] + padding[before]:
            result[after] += extra
    return result[0], result[1], result[2], result[3]


def global_max_node(importer: Importer, node: Node) -> None:
    """GlobalMaxPool: the whole map."""
    signal, kernel, order = _whole(importer, node)
    _greatest(importer, node, signal, kernel, (1, 1), (0, 0, 0, 0), order)


def average_pool_node(importer: Importer, node: Node) -> None:
    """AveragePool."""
    signal = importer.signal(node)
    importer.quantized(signal)
    order = {3: "NCW", 4: "NHWC" if node.domain in CHANNELS_LAST else "NCHW"}.get(signal.axes.rank)
    if order is None:
        raise Misfit(f"takes {signal.axes.rank} axes")
    signal, order = importer.take_map(node, signal, order)
    shape = importer.map_shape(signal)
    kernel, stride, padding, dilation, own = window(node, shape, order, None, signal.padding)
    _check_dilation(kernel, dilation)
    counted = bool(node.attributes.get("count_include_pad", 0))
    if node.attributes.get("ceil_mode", 0) and (ceiled := _ceiled(shape, kernel, stride, padding)) != padding:
        if counted:
            raise Misfit("counts padding in windows that leave the map, by ceil_mode, where one of the two is needed")
        padding = ceiled
    if any(signal.padding):
        if signal.padded_with:
            raise Misfit("comes after Pad with other than zeros")
        if any(own) and not counted:
            raise Misfit("comes after Pad and pads by itself")
        counted = True
    _averaged(importer, node, signal, kernel, stride, padding, counted, order)


def global_average_node(importer: Importer, node: Node) -> None:
    """GlobalAveragePool: the whole map."""
    signal, kernel, order = _whole(importer, node)
    _averaged(importer, node, signal, kernel, (1, 1), (0, 0, 0, 0), False, order)


def _whole(importer: Importer, node: Node) -> tuple[Signal, tuple[int, int], str]:
    """Return what a global pool takes: the signal of a map, the map's height and width, and the order of its axes."""
    signal = importer.signal(node)
    importer.quantized(signal)
    order = {3: "NCW", 4: "NCHW"}.get(signal.axes.rank)
    if order is None or any(signal.padding):
        raise Misfit(f"takes {signal.axes.rank} axes, or comes after Pad")
    signal, order = importer.take_map(node, signal, order)
    height, width, _ = importer.map_shape(signal)
    return signal, (height, width), order


def reduce_node(importer: Importer, node: Node) -> None:
    """ReduceMean, ReduceSum and ReduceMax over height and width."""
    signal = importer.signal(node)
    importer.quantized(signal)
    if any(signal.padding):
        raise Misfit("comes after Pad, where a convolution is needed")
    given = node.attributes.get("axes")
    if given is None:
        array = importer.array(node, 1)
        given = None if array is None else array.reshape(-1).tolist()
    rank = signal.axes.rank
    if given is None or not given:
        raise Misfit("reduces all axes, where height and width are needed")
    axes = {int(axis) % rank for axis in given}
    if not importer.binding.bound:
        importer.bind_default(signal.axes) if rank - 1 in axes else importer.binding.bind(
            signal.axes, {3: "NWC", 4: "NHWC"}.get(rank, "NC")
        )
    signal = importer.refreshed(signal)
    height, width, _ = importer.map_shape(signal)
    reduced = {atom for axis in axes for atom in signal.axes.axes[axis]}
    wanted = {role for role, size in (("H", height), ("W", width)) if size > 1}
    if reduced != wanted:
        raise Misfit(
            f"reduces {' and '.join(sorted(reduced)) or 'nothing'}, where the whole height and width are needed"
        )
    kept = bool(node.attributes.get("keepdims", 1))
    result = Axes(
        tuple(() if i in axes else axis for i, axis in enumerate(signal.axes.axes) if kept or i not in axes),
        signal.axes.sizes,
    )
    if node.kind == "ReduceMax":
        _greatest(importer, node, signal, (height, width), (1, 1), (0, 0, 0, 0), result)
        return
    count = height * width if node.kind == "ReduceSum" else 1
    _averaged(importer, node, signal, (height, width), (1, 1), (0, 0, 0, 0), False, result, times=count)


def _averaged(
    importer: Importer,
    node: Node,
    signal: Signal,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    counted: bool,
    axes: str | Axes,
    times: int = 1,
) -> None:
    tensor, units, offsets = operand(importer, signal, MAX_BITS)
    shape = importer.builder.tensors[tensor].shape
    if any(padding) and counted and any(offsets):
        raise Misfit("counts padded zeros, but its input's zero is no integer")
    name = importer.layer_name("pool")
    layer = AveragePool2d(
        name=name,
        input=tensor,
        output=name,
        kernel=kernel,
        stride=stride,
        padding=padding,
        count_include_pad=counted,
    )
    scale = Fraction(layer.scale(shape), times)
    carrier = importer.summed(layer, tuple(unit / scale for unit in units), tuple(each * times for each in offsets))
    result = _axes(layer.output_shape(shape), axes)
    importer.set(node, Signal(axes=result, carrier=carrier, nodes=(str(node),)))
