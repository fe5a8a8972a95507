"""What ends a network: Softmax, ArgMax, TopK, and the outputs themselves."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from rowloom.model.encodings import Uniform
from rowloom.model.formats.onnx.axes import Axes, Misfit
from rowloom.model.formats.onnx.curves import Curve
from rowloom.model.formats.onnx.deferred import rising_sums
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.pointwise import Clip, Pointwise
from rowloom.model.formats.onnx.reader import Node, Port
from rowloom.model.formats.onnx.signal import Signal
from rowloom.model.layers import ArgMax
from rowloom.model.views import OutputView


def softmax_node(importer: Importer, node: Node) -> None:
    """Softmax and LogSoftmax along the channels: on the host."""
    signal = _bound(importer, node)
    rank = signal.axes.rank
    axis = int(node.attributes.get("axis", -1 if importer.graph.opset >= 13 else 1)) % rank
    before_13 = importer.graph.opset < 13
    along = {atom for each in signal.axes.axes[axis:] for atom in each} if before_13 else set(signal.axes.axes[axis])
    _check_channels(importer, node, signal, along)
    step = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[node.kind]
    importer.builder.note((str(node),), None, "on the host")
    importer.set(node, replace(signal, steps=(*signal.steps, step)))


def argmax_node(importer: Importer, node: Node) -> None:
    """ArgMax, and the indices of TopK with one of them."""
    signal = _bound(importer, node)
    rank = signal.axes.rank
    topk = node.kind == "TopK"
    axis = int(node.attributes.get("axis", -1 if topk else 0)) % rank
    kept = bool(node.attributes.get("keepdims", 1)) or topk
    if topk:
        count = importer.array(node, 1)
        if count is None or count.size != 1 or int(count.reshape(-1)[0]) != 1 or not node.attributes.get("largest", 1):
            raise Misfit("gives other than the one greatest")
    elif node.attributes.get("select_last_index", 0):
        raise Misfit("gives the last of equals, where the first is needed")
    _check_channels(importer, node, signal, set(signal.axes.axes[axis]))
    result = Axes(
        tuple(() if i == axis else each for i, each in enumerate(signal.axes.axes) if kept or i != axis),
        {**signal.axes.sizes, "C": 1},
    )
    place = 1 if topk else 0
    if topk and node.outputs[0] and any(node.outputs[0] in each.inputs for each in importer.graph.nodes):
        raise Misfit("gives values that another node reads")
    affine = None if signal.steps else signal.affine(importer.names)
    shape = importer.map_shape(signal)
    same = affine is not None and len(affine[0]) == len(affine[1]) == 1 and affine[0][0] > 0
    if not same or shape[:2] != (1, 1):
        importer.builder.note((str(node),), None, "on the host")
        importer.set(node, replace(signal, axes=result, steps=(*signal.steps, "argmax")), place)
        return
    signal = importer.place_sums(replace(signal, chain=()))
    tensor = importer.placed(importer.quantized(signal).tensor)
    name = importer.layer_name("argmax")
    encoding = Uniform(bits=max(1, (shape[2] - 1).bit_length()), signed=False)
    importer.builder.add(ArgMax(name=name, input=tensor, output=name), encoding)
    importer.builder.note((*signal.nodes, str(node)), name, "argmax")
    importer.set(node, Signal(axes=result, carrier=importer.stored(name, (Fraction(1),), (Fraction(0),))), place)


def _bound(importer: Importer, node: Node) -> Signal:
    """Return the signal that a node takes, bound to a map."""
    signal = importer.signal(node)
    importer.quantized(signal)
    importer.map_shape(signal)
    return importer.refreshed(signal)


def _check_channels(importer: Importer, node: Node, signal: Signal, along: set[str]) -> None:
    importer.quantized(signal)
    shape = importer.map_shape(signal)
    if along != ({"C"} if shape[2] > 1 else set()):
        raise Misfit(f"runs along {' and '.join(sorted(along)) or 'one number'}, where the channels are needed")


def output_view(importer: Importer, port: Port) -> OutputView:
    """Return how the file shows an output."""
    value = importer.values.get(port.name)
    if value is None:
        raise Misfit("is computed by no node")
    if isinstance(value, Constant):
        raise Misfit("is a constant")
    signal = importer.refreshed(value)
    importer.quantized(signal)
    if any(signal.padding):
        raise Misfit("comes after Pad, where a convolution is needed")
    chain, steps = list(signal.chain), list(signal.steps)
    if chain and isinstance(chain[-1], Curve) and chain[-1].kind == "Sigmoid" and not (steps and steps[0] == "argmax"):
        chain.pop()
        steps.insert(0, "sigmoid")
    elif chain and _is_relu(chain[-1]) and not (steps and steps[0] == "argmax"):
        chain.pop()
        steps.insert(0, "relu")
    signal = rising_sums(importer, replace(signal, chain=tuple(chain)))
    affine = signal.affine(importer.names)
    if affine is None:
        raise Misfit("comes after an activation that no quantizer ends, where none, or Relu, is needed")
    carrier = importer.quantized(signal)
    if carrier.lift is not None:
        # Channels that are moved: numbers of the file's channels, not of the layer's.
        if any(len(part) > 1 for part in affine):
            affine = (_lifted(affine[0], carrier.lift), _lifted(affine[1], carrier.lift))
        unit = (abs(affine[0][0]),)
        signal = replace(signal, carrier=replace(carrier, unit=unit, offset=affine[1][:1]), chain=())
    signal = importer.place_sums(signal)
    tensor = importer.placed(importer.quantized(signal).tensor)
    return OutputView(
        name=port.name,
        tensor=tensor,
        arrangement=signal.axes.arrangement(),
        scale=np.array([float(each) for each in affine[0]]),
        offset=np.array([float(each) for each in affine[1]]),
        steps=tuple(steps),
    )


def _lifted(numbers: tuple[Fraction, ...], lift: np.ndarray) -> tuple[Fraction, ...]:
    """Return numbers by the channels that others are moved to; Misfit if they disagree."""
    result: dict[int, Fraction] = {}
    for channel, target in enumerate(lift.tolist()):
        number = numbers[channel % len(numbers)]
        if result.setdefault(target, number) != number:
            raise Misfit("moves channels of different scales into one")
    return tuple(result[target] for target in sorted(result))


def _is_relu(function: Pointwise) -> bool:
    return (
        isinstance(function, Clip)
        and function.high is None
        and function.low is not None
        and not function.low.atoms
        and not float(function.low.values)
    )
