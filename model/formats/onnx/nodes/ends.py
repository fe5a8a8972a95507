"""What ends a network: Softmax, ArgMax, TopK, and the outputs themselves."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from rowloom.model.encodings import MAX_BITS, Uniform
from rowloom.model.endings import Dequantize, Ending, Greatest, Quantize, Reshape, Softmax, TopK, Transpose
from rowloom.model.errors import RowloomError
from rowloom.model.formats.onnx.axes import Axes, Misfit, resolved_shape
from rowloom.model.formats.onnx.folding import Constant, moved_constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.deferred import rising_sums
from rowloom.model.formats.onnx.layers.operands import operand
from rowloom.model.formats.onnx.layers.sums import lifted, stored_sums
from rowloom.model.formats.onnx.nodes.filling import filled
from rowloom.model.formats.onnx.nodes.joining import whole
from rowloom.model.formats.onnx.nodes.linear_quant import linear_range
from rowloom.model.formats.onnx.nodes.stated import check_scale, integer_of, needed
from rowloom.model.formats.onnx.numbers.curves import Curve
from rowloom.model.formats.onnx.numbers.pointwise import Clip, Pointwise
from rowloom.model.formats.onnx.reader import Node, Port
from rowloom.model.formats.onnx.signal import Ended, Joined, Numbers, Signal, Windows
from rowloom.model.layers import ArgMax
from rowloom.model.views import OutputView


def softmax_node(importer: Importer, node: Node) -> None:
    """Softmax and LogSoftmax: on the host."""
    shape = importer.shape_of(node)
    axis = int(node.attributes.get("axis", -1 if importer.graph.opset >= 13 else 1)) % len(shape)
    axes = (axis,) if importer.graph.opset >= 13 else tuple(range(axis, len(shape)))
    _end(importer, node, Softmax(axes=axes, log=node.kind == "LogSoftmax"))


def argmax_node(importer: Importer, node: Node) -> None:
    """ArgMax: a layer along the channels of one pixel, else on the host; ArgMin on the host."""
    axis = int(node.attributes.get("axis", 0)) % len(importer.shape_of(node))
    greatest = Greatest(
        axis=axis,
        kept=bool(node.attributes.get("keepdims", 1)),
        least=node.kind == "ArgMin",
        last=bool(node.attributes.get("select_last_index", 0)),
    )
    if greatest.least or greatest.last or not _chosen(importer, node, axis, greatest.kept, 0):
        _end(importer, node, greatest)


def topk_node(importer: Importer, node: Node) -> None:
    """TopK: on the host, but for the place of the one greatest channel of one pixel."""
    axis = int(node.attributes.get("axis", -1)) % len(importer.shape_of(node))
    count = node.attributes.get("k")
    if count is None:
        array = importer.array(node, 1)
        count = None if array is None or array.size != 1 else integer_of(array, "count")
    if count is None or not 1 <= int(count) <= importer.shape_of(node)[axis]:
        raise Misfit(f"takes the {count} greatest of {importer.shape_of(node)[axis]}")
    least = not node.attributes.get("largest", 1)
    alone = int(count) == 1 and not least and not _used(importer, node.outputs[0])
    if alone and _chosen(importer, node, axis, True, 1):
        return
    for place in range(len(node.outputs)):
        _end(importer, node, TopK(axis=axis, count=int(count), least=least, indices=place == 1), place)


def host_node(importer: Importer, node: Node) -> None:
    """A node after what the host does."""
    value = importer.values[node.inputs[0]]
    assert isinstance(value, Ended)
    shape, rank = value.shape, len(value.shape)
    if node.kind in ("Identity", "Dropout") or (node.kind == "Cast" and node.attributes.get("to") in (1, 6, 7)):
        importer.set(node, value)
    elif node.kind in ("Softmax", "LogSoftmax"):
        softmax_node(importer, node)
    elif node.kind in ("ArgMax", "ArgMin"):
        argmax_node(importer, node)
    elif node.kind == "TopK":
        topk_node(importer, node)
    elif node.kind == "Transpose":
        order = [int(axis) for axis in node.attributes.get("perm", list(reversed(range(rank))))]
        if sorted(order) != list(range(rank)) or order[0]:
            raise Misfit(f"permutes {rank} axes by {order}")
        _end(importer, node, Transpose(order=tuple(order[1:])))
    elif node.kind in ("Flatten", "Reshape", "Squeeze", "Unsqueeze"):
        numbers = [importer.array(node, place) for place in range(1, len(node.inputs))]
        if node.kind == "Reshape" and numbers:
            wanted = resolved_shape(shape, [int(size) for size in np.asarray(numbers[0]).reshape(-1)])
        else:
            arrays = [np.zeros(shape, np.int8), *(each for each in numbers if each is not None)]
            wanted = list(moved_constant(node, arrays).shape)
        if not wanted or wanted[0] != 1:
            raise Misfit("moves the batch")
        _end(importer, node, Reshape(sizes=tuple(wanted[1:])))
    elif node.kind in ("Quantize", "QuantizeLinear", "DequantizeLinear"):
        _end(importer, node, _quantizer(importer, node))
    else:
        problem = f"comes after {value.endings[0].op}, which the host computes"
        raise importer.fail(node, problem, "need that at the end")


def _quantizer(importer: Importer, node: Node) -> Ending:
    """Return the step that a quantizer of all numbers alike, or its inverse, is."""
    if node.kind == "Quantize":
        low, high, point = (int(node.attributes[name]) for name in ("low", "high", "zero_point"))
        scale = float(node.attributes["scale"])
        return Quantize(scale=scale, zero_point=point, low=low, high=high, reciprocal=True)
    scales, points = needed(importer, node, 1), importer.array(node, 2)
    check_scale(scales)
    if scales.size != 1:
        raise Misfit("has scales that differ within what the host computes")
    scale = float(np.float32(scales.reshape(-1)[0]))
    point = 0 if points is None else integer_of(points, "zero point")
    if node.kind == "DequantizeLinear":
        return Dequantize(scale=scale, zero_point=point)
    low, high, _, _ = linear_range(node, importer.constant(node, 2))
    return Quantize(scale=scale, zero_point=point, low=low, high=high)


def _end(importer: Importer, node: Node, ending: Ending, place: int = 0) -> None:
    """Let the host do a step, after what it does already, or as its first."""
    value = importer.values[node.inputs[0]]
    if not isinstance(value, Ended):
        signal = _bound(importer, node)
        if any(signal.padding):
            raise Misfit("comes after Pad, where a convolution is needed")
        value = Ended(signal=signal, endings=(), shape=signal.axes.shape)
    if value.shape[:1] != (1,):
        raise Misfit("has its batch elsewhere than in front")
    try:
        shape = (1, *ending.shape(value.shape[1:]))
    except RowloomError as error:
        raise Misfit(error.problem) from None
    if place == 0:
        importer.builder.note((str(node),), None, "on the host")
    importer.set(node, Ended(signal=value.signal, endings=(*value.endings, ending), shape=shape), place)


def _chosen(importer: Importer, node: Node, axis: int, kept: bool, place: int) -> bool:
    """Append a layer for the index of the greatest channel, if there is one that gives it."""
    if isinstance(importer.values[node.inputs[0]], Ended):
        return False
    signal = _bound(importer, node)
    affine = signal.affine(importer.names)
    shape = importer.map_shape(signal)
    same = affine is not None and len(affine[0]) == len(affine[1]) == 1 and affine[0][0] > 0
    if not same or shape[:2] != (1, 1) or signal.axes.axes[axis] != (("C",) if shape[2] > 1 else ()):
        return False
    axes = Axes(
        tuple(() if i == axis else each for i, each in enumerate(signal.axes.axes) if kept or i != axis),
        {**signal.axes.sizes, "C": 1},
    )
    signal = stored_sums(importer, replace(signal, chain=()))
    tensor = importer.placed(importer.quantized(signal).tensor)
    name = importer.layer_name("argmax")
    encoding = Uniform(bits=max(1, (shape[2] - 1).bit_length()), signed=False)
    importer.builder.add(ArgMax(name=name, input=tensor, output=name), encoding)
    importer.builder.note((*signal.nodes, str(node)), name, "argmax")
    importer.set(node, Signal(axes=axes, carrier=importer.stored(name, (Fraction(1),), (Fraction(0),))), place)
    return True


def _used(importer: Importer, name: str) -> bool:
    """Whether a node or an output of the graph takes a tensor."""
    taken = {each for node in importer.graph.nodes for each in node.inputs}
    return bool(name) and (name in taken or name in {port.name for port in importer.graph.outputs})


def _bound(importer: Importer, node: Node) -> Signal:
    """Return the signal that a node takes, bound to a map."""
    value = importer.values[node.inputs[0]]
    if isinstance(value, Joined):
        importer.values[node.inputs[0]] = whole(importer, value, most=MAX_BITS)
    signal = importer.signal(node)
    importer.quantized(signal)
    importer.map_shape(signal)
    return importer.refreshed(signal)


def output_view(importer: Importer, port: Port) -> OutputView:
    """Return how the file shows an output."""
    value = importer.values.get(port.name)
    if value is None:
        raise Misfit("is computed by no node")
    if isinstance(value, Constant | Windows):
        raise Misfit("is a constant, or the windows of Im2Col")
    endings = value.endings if isinstance(value, Ended) else ()
    if isinstance(value, Joined):
        value = whole(importer, value, most=MAX_BITS)
    signal = importer.refreshed(value.signal if isinstance(value, Ended) else value)
    importer.quantized(signal)
    importer.map_shape(signal)
    signal = importer.refreshed(signal)
    signal = filled(importer, signal)
    chain, steps = list(signal.chain), []
    if chain and isinstance(chain[-1], Curve) and chain[-1].kind == "Sigmoid":
        chain.pop()
        steps.append("sigmoid")
    elif chain and _is_relu(chain[-1]):
        chain.pop()
        steps.append("relu")
    signal = rising_sums(importer, replace(signal, chain=tuple(chain)))
    affine: Sequence[Numbers] | None = signal.affine(importer.names)
    if affine is None:
        try:
            tensor, *affine = operand(importer, signal)
        except Misfit as misfit:
            problem = "comes after an activation that no quantizer ends, where none, or Relu, is needed"
            raise Misfit(f"{problem}: {misfit}") from None
        signal = replace(signal, carrier=importer.stored(tensor, affine[0], affine[1]), chain=())
    carrier = importer.quantized(signal)
    if carrier.lift is not None:
        # Channels that are moved: numbers of the file's channels, not of the layer's.
        if any(len(part) > 1 for part in affine):
            affine = (lifted(affine[0], carrier.lift), lifted(affine[1], carrier.lift))
        unit = (abs(affine[0][0]),)
        signal = replace(signal, carrier=replace(carrier, unit=unit, offset=affine[1][:1]), chain=())
    signal = stored_sums(importer, signal)
    tensor = importer.placed(importer.quantized(signal).tensor)
    signal = importer.refreshed(signal)
    return OutputView(
        name=port.name,
        tensor=tensor,
        arrangement=signal.axes.arrangement(),
        scale=np.array([float(each) for each in affine[0]]),
        offset=np.array([float(each) for each in affine[1]]),
        steps=tuple(steps),
        endings=endings,
    )


def _is_relu(function: Pointwise) -> bool:
    return (
        isinstance(function, Clip)
        and function.high is None
        and function.low is not None
        and not function.low.atoms
        and not float(function.low.values)
    )
