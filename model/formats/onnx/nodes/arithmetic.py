"""Functions of single numbers, with constants; and sums of two branches."""

from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import MAX_BITS
from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.adding import added
from rowloom.model.formats.onnx.layers.operands import operand
from rowloom.model.formats.onnx.layers.twins import twins
from rowloom.model.formats.onnx.nodes.weighted import CHANNELS_LAST
from rowloom.model.formats.onnx.numbers.curves import Product
from rowloom.model.formats.onnx.numbers.pointwise import Clip, Divide, Leaky, Norm, Pointwise, Scale, Shift
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal


def add_node(importer: Importer, node: Node) -> None:
    """Add, Sub and Sum: of a signal and a constant, or of two signals."""
    if len(node.inputs) == 1:
        importer.set(node, importer.signal(node))
        return
    constants = [isinstance(importer.values.get(name), Constant) for name in node.inputs]
    if not any(constants):
        _branches(importer, node)
        return
    if len(node.inputs) != 2:
        raise Misfit(f"has {len(node.inputs)} inputs, constants among them, where 2 are needed")
    place = constants.index(True)
    signal = importer.signal(node, 1 - place)
    values = _numbers(importer, node, place)
    minus = node.kind == "Sub" and place == 0
    if node.kind == "Sub" and place == 1:
        values = -values
    apply(importer, node, signal, Shift(_parameter(signal, values), minus=minus))


def multiply_node(importer: Importer, node: Node) -> None:
    """Mul and Div by a constant, or of two functions of the same codes."""
    constants = [isinstance(importer.values.get(name), Constant) for name in node.inputs]
    if len(constants) == 2 and not any(constants):
        _product(importer, node)
        return
    if len(constants) != 2 or not any(constants):
        raise Misfit("divides by a tensor that is computed, where a constant is needed")
    place = constants.index(True)
    signal = importer.signal(node, 1 - place)
    values = _numbers(importer, node, place)
    if node.kind == "Div":
        if place == 0:
            raise Misfit("divides by a tensor that is computed, where a constant is needed")
        if (values == 0).any():
            raise Misfit("divides by 0")
        function: Pointwise = Divide(_parameter(signal, values))
    else:
        function = Scale(_parameter(signal, values))
    apply(importer, node, signal, function)


def negate_node(importer: Importer, node: Node) -> None:
    """Neg."""
    signal = importer.signal(node)
    apply(importer, node, signal, Scale(Parameter.scalar(-1.0)))


def norm_node(importer: Importer, node: Node) -> None:
    """BatchNormalization of a trained network."""
    signal = importer.signal(node)
    if node.attributes.get("training_mode", 0) or not node.attributes.get("is_test", 1):
        raise Misfit("is in training mode")
    arrays = []
    for place in range(1, 5):
        array = importer.array(node, place)
        if array is None or array.ndim != 1:
            raise Misfit("lacks a parameter, or has one that is no list")
        arrays.append(array.astype(np.float32))
    axis = signal.axes.rank - 1 if node.domain in CHANNELS_LAST else 1
    if axis >= signal.axes.rank:
        raise Misfit(f"takes {signal.axes.rank} axes")
    tail = (1,) * (signal.axes.rank - axis - 1)
    if not all(np.isfinite(array).all() for array in arrays) or (arrays[3] < 0).any():
        raise Misfit("has parameters that are not finite, or a negative variance")
    gamma, beta, mean, variance = (signal.axes.parameter(array.reshape(-1, *tail)) for array in arrays)
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    if not (arrays[3] + np.float32(epsilon) > 0).all():
        raise Misfit("has a variance and an epsilon of 0")
    apply(importer, node, signal, Norm(gamma, beta, mean, variance, epsilon))


def clip_node(importer: Importer, node: Node) -> None:
    """Relu and Clip."""
    signal = importer.signal(node)
    low: Any = 0.0 if node.kind == "Relu" else node.attributes.get("min")
    high: Any = None if node.kind == "Relu" else node.attributes.get("max")
    if node.kind == "Clip":
        for place in (1, 2):
            array = importer.array(node, place)
            if array is not None:
                if array.size != 1:
                    raise Misfit("has limits that differ within the tensor")
                low, high = (array.item(), high) if place == 1 else (low, array.item())
    if _within(signal, low, high):
        importer.set(node, replace(signal, nodes=(*signal.nodes, str(node))))
        return
    limits = [None if limit is None or not np.isfinite(limit) else Parameter.scalar(limit) for limit in (low, high)]
    apply(importer, node, signal, Clip(limits[0], limits[1]))


def _within(signal: Signal, low: Any, high: Any) -> bool:
    """Whether no code of a signal lies beyond the limits."""
    carrier = signal.carrier
    if carrier is None or carrier.layer is not None or signal.chain or any(signal.padding):
        return False
    count = max(len(carrier.unit), len(carrier.offset))
    ends = [carrier.exact(end, m) for m in range(count) for end in (*carrier.lows, *carrier.highs)]
    return (low is None or min(ends) >= low) and (high is None or max(ends) <= high)


def leaky_node(importer: Importer, node: Node) -> None:
    """LeakyRelu and PRelu."""
    signal = importer.signal(node)
    if node.kind == "PRelu":
        slope = _parameter(signal, _numbers(importer, node, 1))
    else:
        slope = Parameter.scalar(float(node.attributes.get("alpha", 0.01)))
    if not np.isfinite(slope.values).all() or (slope.values < 0).any():
        raise Misfit("has a negative slope, which neither rises nor falls")
    apply(importer, node, signal, Leaky(slope))


def identity_node(importer: Importer, node: Node) -> None:
    """Identity, Dropout, and Cast between floats: the same numbers."""
    signal = importer.signal(node)
    if node.kind == "Cast" and node.attributes.get("to") not in (1, 10, 11, 16):
        raise Misfit(f"casts to element type {node.attributes.get('to')}, where float32 is needed")
    importer.set(node, replace(signal, nodes=(*signal.nodes, str(node))))


def apply(importer: Importer, node: Node, signal: Signal, *functions: Pointwise) -> None:
    """Say that a node's output is a signal after functions."""
    nodes = (*signal.nodes, str(node))
    for function in functions:
        signal = signal.then(function, str(node))
    importer.set(node, replace(signal, nodes=nodes))


def _product(importer: Importer, node: Node) -> None:
    """The product, or the quotient, of two functions of the same integers, such as x * sigmoid(x)."""
    one, other = (importer.signal(node, place) for place in range(2))
    same = (
        one.carrier is not None
        and other.carrier is not None
        and (one.carrier.tensor, one.carrier.layer, one.carrier.deferred, one.axes.axes)
        == (other.carrier.tensor, other.carrier.layer, other.carrier.deferred, other.axes.axes)
    )
    if not same or node.kind == "Div":
        join, verb = (np.multiply, "multiplies") if node.kind == "Mul" else (np.divide, "divides")
        both_codes = twins(importer, one, other, join, str(node))
        if both_codes is None:
            raise Misfit(f"{verb} two tensors that are computed, where a constant is needed")
        importer.set(node, both_codes)
        return
    both = zip(one.chain, other.chain, strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], both))
    nodes = tuple(dict.fromkeys((*one.nodes, *other.nodes)))
    product = Product(one.chain[shared:], other.chain[shared:])
    apply(importer, node, replace(one, chain=one.chain[:shared], nodes=nodes), product)


def _numbers(importer: Importer, node: Node, place: int) -> NDArray[Any]:
    array = importer.array(node, place)
    if array is None or not array.size or not np.isfinite(array.astype(np.float64)).all():
        raise Misfit("has a constant that is empty or not finite")
    return array.astype(np.float32)


def _parameter(signal: Signal, values: NDArray[Any]) -> Parameter:
    return signal.axes.parameter(values)


def _branches(importer: Importer, node: Node) -> None:
    """The sum, or the difference, of signals: integers of a common unit."""
    signals = [importer.signal(node, place) for place in range(len(node.inputs))]
    if any(any(signal.padding) for signal in signals):
        raise Misfit("comes after Pad, where a convolution is needed")
    operands = [operand(importer, signal, MAX_BITS) for signal in signals]
    signals = [importer.refreshed(signal) for signal in signals]
    if any(signal.axes.axes != signals[0].axes.axes for signal in signals):
        shapes = " and ".join(str(signal.axes.shape) for signal in signals)
        raise Misfit(f"adds {shapes}, where equal shapes are needed")
    signs = [1, *(-1 if node.kind == "Sub" else 1 for _ in signals[1:])]
    carrier = added(importer, operands, signs)
    importer.set(node, Signal(axes=signals[0].axes, carrier=carrier, nodes=(str(node),)))
