"""Conv, Gemm and MatMul: layers with weights."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Binary
from rowloom.model.formats.onnx.axes import BATCH, ROLES, Axes, Misfit
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.averages import through_averages
from rowloom.model.formats.onnx.layers.operands import operand
from rowloom.model.formats.onnx.layers.weights import Weights, common_unit, encoding_for, weights_of
from rowloom.model.formats.onnx.nodes.windows import window
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Numbers, Signal
from rowloom.model.layers import Conv2d, Linear, Shape, WeightedLayer

FACTOR_BITS = 32
"""Of the multipliers of channels of different scales; the accelerator takes weights of up to 16 bits."""

CHANNELS_LAST = ("qonnx.custom_op.channels_last", "finn.custom_op.channels_last")


def conv_node(importer: Importer, node: Node) -> None:
    """Conv in one or two dimensions."""
    signal = importer.signal(node)
    constant = _weights(importer, node)
    spatial = constant.data.ndim - 2
    if spatial not in (1, 2):
        raise Misfit(f"has weights of shape {list(constant.data.shape)}, where 3 or 4 axes are needed")
    last = node.domain in CHANNELS_LAST
    order = {(1, False): "NCW", (2, False): "NCHW", (1, True): "NWC", (2, True): "NHWC"}[spatial, last]
    signal, order = importer.take_map(node, signal, order)
    weights = weights_of(constant, 0)
    values = weights.values if last else np.moveaxis(weights.values, 1, -1)
    if spatial == 1:
        values = np.expand_dims(values, 1 if "W" in order else 2)
    elif order.index("W") < order.index("H"):
        values = values.swapaxes(1, 2)
    tensor, units, offsets = operand(importer, signal)
    shape = importer.builder.tensors[tensor].shape
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or values.shape[3] * groups != shape[2] or len(values) % groups:
        raise Misfit(f"has weights for {values.shape[3]} x {groups} channels, but its input has {shape[2]}")
    kernel, stride, padding, dilation, own = window(
        node, shape, order, (values.shape[1], values.shape[2]), signal.padding
    )
    if kernel != tuple(values.shape[1:3]):
        raise Misfit(f"says its kernel is {kernel}, but its weights are {values.shape[1:3]}")
    filters = np.arange(len(values)) // (len(values) // groups)
    values, padding = _grown(values, padding, dilation)
    if isinstance(weights.encoding, Binary):
        weights = replace(weights, encoding=encoding_for(values, None))
    plain = replace(weights, values=values)
    weights, scale = _with_units(weights, values, units, filters)
    number = signal.padded_with if any(signal.padding) else Fraction(0)
    if number and any(own):
        raise Misfit(f"pads with 0 after a Pad with {float(number):g}")
    pad_value, bias = _offsets(plain, units, offsets, filters, any(padding), number)
    bias = _plus(bias, importer.array(node, 2), len(values))
    name = importer.layer_name("depthwise" if groups > 1 and values.shape[3] == 1 else "conv")
    layer = Conv2d(
        name=name,
        input=tensor,
        output=name,
        weights=weights.codes,
        weight_encoding=weights.encoding,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        pad_value=pad_value,
    )
    _finish(importer, node, layer, scale, bias, lambda shape: Axes.of_map(shape, order), signal)


def _grown(
    values: NDArray[np.int64], padding: tuple[int, int, int, int], dilation: tuple[int, int]
) -> tuple[NDArray[np.int64], tuple[int, int, int, int]]:
    """Return weights [M, R, S, C] with zeros round them, and padding, so that no window lies in the padding alone."""
    top, bottom, left, right = padding
    more = [
        max(0, -(-pad // step) - size + 1)
        for pad, step, size in zip(
            padding, (dilation[0],) * 2 + (dilation[1],) * 2, np.repeat(values.shape[1:3], 2).tolist(), strict=True
        )
    ]
    # What one side has too much of padding, the other side of the window gets in zeros.
    below, above, after, before = more
    if not any(more):
        return values, padding
    values = np.pad(values, ((0, 0), (above, below), (before, after), (0, 0)))
    down, across = dilation
    return values, (top + above * down, bottom + below * down, left + before * across, right + after * across)


def gemm_node(importer: Importer, node: Node) -> None:
    """Gemm: alpha * A B + beta * C with constant B and C."""
    if node.attributes.get("transA", 0):
        raise Misfit("transposes its input")
    alpha, beta = float(node.attributes.get("alpha", 1.0)), float(node.attributes.get("beta", 1.0))
    constant = _weights(importer, node)
    filters = 0 if node.attributes.get("transB", 0) else 1
    bias = importer.array(node, 2)
    if not alpha or not np.isfinite(alpha) or not np.isfinite(beta):
        raise Misfit(f"has alpha {alpha:g} and beta {beta:g}, where numbers other than 0 are needed")
    if bias is not None and beta != 1.0:
        bias = (bias * np.float32(beta)).astype(np.float32)
    _dense(importer, node, constant, filters, bias, Fraction(float(np.float32(alpha))))


def matmul_node(importer: Importer, node: Node) -> None:
    """MatMul of a signal with constant weights [K, M]."""
    if len(node.inputs) == 2 and isinstance(importer.values.get(node.inputs[0]), Constant):
        raise Misfit("has its weights on the left, where they are needed on the right")
    constant = _weights(importer, node)
    if constant.data.ndim > max(2, importer.signal(node).axes.rank):
        raise Misfit(f"has weights of shape {list(constant.data.shape)}, more axes than its input has")
    while constant.data.ndim > 2 and len(constant.data) and (constant.data == constant.data[:1]).all():
        grid = constant.grid
        constant = Constant(
            constant.data[0],
            None
            if grid is None
            else replace(grid, values=grid.values[0], scale=grid.scale[0] if grid.scale.ndim > 2 else grid.scale),
        )
    _dense(importer, node, constant, 1, None)


def _dense(
    importer: Importer,
    node: Node,
    constant: Constant,
    filters: int,
    bias: NDArray[Any] | None,
    factor: Fraction = Fraction(1),
) -> None:
    """A dense layer along the last axis of a signal, its sums times a factor before the bias is added."""
    signal = importer.signal(node)
    if constant.data.ndim != 2:
        raise Misfit(f"has weights of shape {list(constant.data.shape)}, where 2 axes are needed")
    if any(signal.padding):
        raise Misfit("comes after Pad, where a convolution is needed")
    if signal.axes.axes[0][:1] != (BATCH,):
        raise Misfit("takes its batch elsewhere than in front")
    if not importer.binding.bound and importer._of_input(signal):
        _bind_last(importer, signal.axes)
        signal = importer.refreshed(signal)
    weights = weights_of(constant, filters)
    weights = replace(weights, units=tuple(unit * factor for unit in weights.units))
    tensor, units, offsets = operand(importer, signal)
    shape = importer.builder.tensors[tensor].shape
    axis, others = signal.axes.axes[-1], (signal.axes.axes[0][1:], *signal.axes.axes[1:-1])
    sizes = dict(zip(ROLES, shape, strict=True))
    count, taps = weights.values.shape
    if BATCH in axis:
        raise Misfit("runs along the batch")
    if math.prod(sizes[atom] for atom in axis) != taps:
        raise Misfit(f"has weights for {taps} values, but its input is {signal.axes.shape}")
    name = importer.layer_name("dense")
    layer: WeightedLayer
    if not any(others):
        split = weights.values.reshape(count, *(sizes[atom] for atom in axis))
        present = [role for role in ROLES if role in axis]
        values = split.transpose(0, *(1 + axis.index(role) for role in present)).reshape(count, *shape)
    elif axis in (("C",), ()):
        values = weights.values.reshape(count, 1, 1, taps)
    else:
        raise Misfit(f"runs along {' '.join(axis)} of a map, where C or the whole map is needed")
    filters_of = np.zeros(count, np.int64)
    _, total = _offsets(replace(weights, values=values), units, offsets, filters_of)
    weights, scale = _with_units(weights, values, units, filters_of)
    if any(others):
        layer = Conv2d(name=name, input=tensor, output=name, weights=weights.codes, weight_encoding=weights.encoding)
    else:
        layer = Linear(name=name, input=tensor, output=name, weights=weights.codes, weight_encoding=weights.encoding)
    axes = signal.axes
    _finish(
        importer,
        node,
        layer,
        scale,
        _plus(total, bias, count),
        lambda shape: Axes((*axes.axes[:-1], ("C",) if shape[2] > 1 else ()), dict(zip(ROLES, shape, strict=True))),
        signal,
    )


def _bind_last(importer: Importer, axes: Axes) -> None:
    """Take the last axis of the input for its channels, and others, be they joined to the batch, for its map."""
    apart = ((BATCH,), *((atom,) for atom in axes.axes[0][1:]), *axes.axes[1:])
    between = sum(1 for axis in apart[1:-1] if axis)
    if between > 2:
        raise Misfit(f"takes {between + 2} axes, where 2 to 4 are needed")
    letters = iter("HW"[2 - between :])
    order = "".join(next(letters) if axis else "1" for axis in apart[1:-1])
    importer.binding.bind(Axes(apart, axes.sizes), f"N{order}C")


def _weights(importer: Importer, node: Node) -> Constant:
    if len(node.inputs) > 1 and isinstance(importer.values.get(node.inputs[1]), Signal):
        raise Misfit("multiplies two tensors that are computed, where constant weights are needed")
    constant = importer.constant(node, 1)
    if constant is None or not constant.data.size:
        raise Misfit("has no weights")
    return constant


def _with_units(
    weights: Weights, values: NDArray[np.int64], units: Numbers, groups: NDArray[np.int64]
) -> tuple[Weights, list[Fraction]]:
    """Return weights [M, R, S, C] and what their sums stand for; units that differ by channel go into the weights."""
    if len(units) == 1:
        return Weights(values, weights.units, weights.encoding), [units[0] * each for each in weights.units]
    depth = values.shape[3]
    if depth == 1:
        return Weights(values, weights.units, weights.encoding), [
            units[int(group)] * each for group, each in zip(groups, weights.units, strict=True)
        ]
    unit = common_unit(units) or Fraction(1)
    factors = [int(each / unit) for each in units]
    if max(map(abs, factors)) >= 1 << FACTOR_BITS:
        raise Misfit("takes channels of different scales that share no unit, where one scale for all is needed")
    rows = np.array(factors, np.int64).reshape(-1, depth)[groups if len(units) > depth else groups * 0]
    scaled = values * rows[:, None, None, :]
    return Weights(scaled, weights.units, encoding_for(scaled, None, 48)), [unit * each for each in weights.units]


def _offsets(
    weights: Weights,
    units: Numbers,
    offsets: Numbers,
    groups: NDArray[np.int64],
    padded: bool = False,
    number: Fraction = Fraction(0),
) -> tuple[int | None, list[Fraction]]:
    """Return the value of a tap padded with a number, and what the input's offset adds to each filter.

    Parameters
    ----------
    weights : Weights
        [M, R, S, C / groups], before units that differ by channel have gone into them.
    groups : int64 [M]
        Of each filter.
    """
    count, _, _, depth = weights.values.shape
    if not any(offsets) and not number:
        return None, [Fraction(0)] * count
    pad_value = None
    if padded:
        pairs = max(len(units), len(offsets))
        both = {(offsets[c % len(offsets)], units[c % len(units)]) for c in range(pairs)}
        if any(not unit and offset != number for offset, unit in both):
            raise Misfit("pads channels that are all the same number with another")
        values = {(number - offset) / unit for offset, unit in both if unit} or {Fraction(0)}
        if len(values) > 1:
            raise Misfit("pads channels of different offsets")
        (value,) = values
        if value.denominator != 1:
            raise Misfit(f"pads with a {float(number):g} that is no multiple of its input's scale")
        pad_value = int(value)
    sums = weights.values.sum(axis=(1, 2)).tolist()
    return pad_value, [
        unit * sum(offsets[(group * depth + c) % len(offsets)] * total for c, total in enumerate(totals))
        for unit, group, totals in zip(weights.units, groups.tolist(), sums, strict=True)
    ]


def _plus(bias: list[Fraction], given: NDArray[Any] | None, count: int) -> list[Fraction]:
    """Return the bias with one that the node itself has."""
    if given is None:
        return bias
    flat = given.reshape(-1)
    if flat.size not in (1, count) or not np.isfinite(flat.astype(np.float64)).all():
        raise Misfit(f"has a bias of {flat.size} numbers, where {count} finite ones are needed")
    return [b + Fraction(float(v)) for b, v in zip(bias, np.broadcast_to(flat, count), strict=True)]


def _finish(
    importer: Importer,
    node: Node,
    layer: WeightedLayer,
    units: list[Fraction],
    bias: list[Fraction],
    axes: Any,
    signal: Signal,
) -> None:
    """Say that the node's output are the sums of a layer."""
    shape: Shape = layer.output_shape(importer.builder.tensors[layer.input].shape)
    layer = through_averages(importer.builder, layer)
    shortest: Numbers = (units[0],) if len(set(units)) == 1 else tuple(units)
    offset: Numbers = (bias[0],) if len(set(bias)) == 1 else tuple(bias)
    importer.set(node, Signal(axes=axes(shape), carrier=importer.summed(layer, shortest, offset), nodes=(str(node),)))
