"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import requantize
from rowloom.model.bisection import find_thresholds
from rowloom.model.bounds import channel_bounds
from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.multipliers import FUSED, codes_between, quantize_multipliers
from rowloom.model.formats.tflite.reader import FileTensor, Operator
from rowloom.model.formats.tflite.single import rounding_once
from rowloom.model.formats.tflite.values import NO_PADDING, Padding, Value, padded_shape
from rowloom.model.layers import Conv2d, Linear, Shape, WeightedLayer
from rowloom.model.post import Post, Requantize

SAME, VALID = 0, 1


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return what TFLite's SAME puts before and after: the output has ceil(size / stride), the odd one goes behind."""
    output = -(-size // stride)
    total = max((output - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that slides over a map, in the map's order of axes.

    Parameters
    ----------
    value : Value
        What it slides over; its padding is part of ``padding``.
    turned : bool
        Whether the file's height is the map's width.
    kernel, stride, dilation : (int, int)
    padding : (int, int, int, int)
    fill : int
        The value of the padding.
    """

    value: Value
    turned: bool
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Padding
    fill: int

    def shape(self, output: Shape) -> tuple[int, ...]:
        """Return the file's shape of what the layer gives."""
        height, width, channels = output
        return (1, width, height, channels) if self.turned else (1, height, width, channels)


def window(
    importer: Importer, operator: Operator, kernel: tuple[int, int], stands_for: Callable[[int, bool], bool]
) -> Window:
    """Return the window of a convolution or a pool; a PAD before it is part of its padding where it can be.

    Parameters
    ----------
    kernel : (int, int)
        In the file.
    stands_for : function
        Takes the value of a PAD and whether there is padding of the operator's own round it; returns whether the
        layer's padding can be both.
    """
    options = operator.options
    stride = (options.get("StrideH", 0), options.get("StrideW", 0))
    dilation = (options.get("DilationHFactor", 1), options.get("DilationWFactor", 1))
    if min(*stride, *dilation) < 1 or max(*stride, *dilation) >= 1 << 16:
        raise importer.fail(operator, f"has stride {stride} and dilation {dilation}", "need at least 1")
    kind = options.get("Padding")
    if kind not in (SAME, VALID):
        raise importer.fail(operator, f"has padding of kind {kind}", "need SAME or VALID")
    if min(kernel) < 1 or max(kernel) >= 1 << 16:
        raise importer.fail(operator, f"has a window of {kernel}", "need at least 1 x 1")
    value = importer.value(operator.inputs[0], operator, padded=True)
    turned = importer.is_turned(value)
    if turned:
        kernel, stride, dilation = kernel[::-1], stride[::-1], dilation[::-1]
    more = options.get("Pads", NO_PADDING)
    if any(more):
        value = importer.filled(value, operator) if any(value.padding) and value.fill else value
        top, bottom, left, right = (*more[2:], *more[:2]) if turned else more
        before = value.padding
        whole = (before[0] + top, before[1] + bottom, before[2] + left, before[3] + right)
        value = replace(value, padding=whole, fill=0)
    reach = (kernel[0] - 1) * dilation[0], (kernel[1] - 1) * dilation[1]

    def padding(of: Value) -> Padding:
        if kind == VALID:
            return of.padding
        height, width, _ = padded_shape(importer.shape(of), of.padding)
        down = same_padding(height, kernel[0], stride[0], dilation[0])
        across = same_padding(width, kernel[1], stride[1], dilation[1])
        top, bottom, left, right = of.padding
        return top + down[0], bottom + down[1], left + across[0], right + across[1]

    whole = padding(value)
    beyond = max(whole[:2]) > reach[0] or max(whole[2:]) > reach[1]
    if any(value.padding) and (beyond or not stands_for(value.fill, whole != value.padding)):
        value = importer.filled(value, operator)
        whole = padding(value)
    return Window(
        value=value, turned=turned, kernel=kernel, stride=stride, dilation=dilation, padding=whole, fill=value.fill
    )


def clamp(importer: Importer, operator: Operator, target: Uniform, scale: float) -> tuple[int, int]:
    """Return the codes that the fused activation leaves."""
    activation = operator.options.get("FusedActivationFunction", 0)
    if activation not in FUSED:
        raise importer.fail(operator, f"has fused activation {activation}", "need none, RELU, RELU_N1_TO_1 or RELU6")
    allowed = codes_between(FUSED[activation], scale, target)
    if allowed[0] > allowed[1]:
        raise importer.fail(operator, f"leaves codes {allowed[0]} to {allowed[1]}", "need at least one")
    return allowed


def post_for(
    importer: Importer,
    operator: Operator,
    target: Uniform,
    reals: NDArray[np.float64],
    allowed: tuple[int, int],
    bounds: tuple[list[int], list[int]],
) -> Post:
    """Return a rescaling by ``reals``; as thresholds where the fused activation leaves only some codes."""
    multiplier, shift = quantize_multipliers(reals, f"{importer.subject}: {operator}")
    post = Requantize(multiplier=multiplier, shift=shift, output_zero_point=target.zero_point)
    if allowed == (target.code_min, target.code_max):
        return post
    # Sums must not leave 32 bits here either.
    post.check(f"{importer.subject}: {operator}", target, *bounds)

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        return requantize(
            sums,
            multiplier=multiplier,
            shift=shift,
            zero_point=target.zero_point,
            code_min=allowed[0],
            code_max=allowed[1],
        )

    return find_thresholds(f"{importer.subject}: {operator}", codes, target, *bounds)


def convolution(importer: Importer, operator: Operator) -> None:
    """CONV_2D: weights [M, R, S, C]."""
    indices = importer.inputs(operator, 2, 3)
    weights = _weights(importer, operator, indices[1], ndim=4)
    assert weights.data is not None
    channels = _channels(importer, operator, indices[0])
    if channels % weights.data.shape[3] or len(weights.data) % (channels // weights.data.shape[3]):
        raise importer.fail(
            operator,
            f"has {len(weights.data)} filters for {weights.data.shape[3]} channels, but its input has {channels}",
            "need a divisor, and as many filters for each group",
        )
    groups = channels // weights.data.shape[3]
    _convolution(importer, operator, indices, weights, weights.data, groups, axis=0)


def depthwise(importer: Importer, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, R, S, M]."""
    indices = importer.inputs(operator, 2, 3)
    weights = _weights(importer, operator, indices[1], ndim=4)
    assert weights.data is not None
    channels = _channels(importer, operator, indices[0])
    filters = weights.data.shape[3]
    if weights.data.shape[0] != 1 or filters % channels:
        raise importer.fail(
            operator, f"has weights of {weights.data.shape}, but its input has {channels} channels", "need a multiple"
        )
    if operator.options.get("DepthMultiplier", 0) not in (0, filters // channels):
        raise importer.fail(
            operator, f"has depth multiplier {operator.options['DepthMultiplier']}", f"need {filters // channels}"
        )
    _convolution(importer, operator, indices, weights, weights.data.transpose(3, 1, 2, 0), channels, axis=3)


def _channels(importer: Importer, operator: Operator, index: int) -> int:
    return importer.shape(importer.value(index, operator, padded=True))[2]


def _convolution(
    importer: Importer,
    operator: Operator,
    indices: tuple[int, ...],
    weights: FileTensor,
    codes: NDArray[Any],
    groups: int,
    *,
    axis: int,
) -> None:
    """Append a convolution with weights [M, R, S, C // groups]."""
    slide = window(importer, operator, codes.shape[1:3], lambda fill, beside: not fill or not beside)
    padding = slide.value.padding
    layer = Conv2d(
        name=(name := importer.layer_name(operator.kind.partition("_")[0].lower())),
        input=slide.value.tensor,
        output=name,
        weights=codes.transpose(0, 2, 1, 3) if slide.turned else codes,
        weight_encoding=_weight_encoding(importer, operator, weights),
        stride=slide.stride,
        dilation=slide.dilation,
        padding=slide.padding,
        groups=groups,
        pad_value=slide.fill or None,
        bias=_bias(importer, operator, indices, len(codes)),
    )
    post, target, scale = _post(importer, operator, layer, weights, axis)
    layer = replace(layer, post=post)
    output = importer.builder.add(layer, target, scale)
    folded = " with PAD" if any(padding) else ""
    shape = operator.options.get("Shape") or slide.shape(output.shape)
    importer.set(operator, Value(tensor=layer.output, shape=shape), f"{layer.op}{folded}", layer.name)


def fully_connected(importer: Importer, operator: Operator) -> None:
    """FULLY_CONNECTED: weights [M, K] over the whole map, or over each pixel's channels."""
    indices = importer.inputs(operator, 2, 3)
    if operator.options.get("WeightsFormat", 0):
        raise importer.fail(operator, "has shuffled weights", "need the default format")
    weights = _weights(importer, operator, indices[1], ndim=2)
    assert weights.data is not None
    filters, taps = weights.data.shape
    value = importer.elements(indices[0], operator)
    if taps != math.prod(value.shape):
        value = importer.pixels(indices[0], operator)
    shape = importer.shape(value)
    encoding = _weight_encoding(importer, operator, weights)
    bias = _bias(importer, operator, indices, filters)
    name = importer.layer_name("dense")
    codes = weights.data
    layer: WeightedLayer
    if taps == math.prod(value.shape):
        if value.places is not None:
            # Every weight to where its element lies, and 0 where none does.
            codes = np.full((filters, math.prod(shape)), encoding.zero_point, codes.dtype)
            codes[:, value.places.reshape(-1)] = weights.data
        codes = codes.reshape(filters, *shape)
        layer = Linear(name=name, input=value.tensor, output=name, weights=codes, weight_encoding=encoding, bias=bias)
    elif taps == shape[2] == value.shape[-1]:
        codes = codes.reshape(filters, 1, 1, taps)
        layer = Conv2d(name=name, input=value.tensor, output=name, weights=codes, weight_encoding=encoding, bias=bias)
    else:
        raise importer.fail(
            operator, f"has weights for {taps} values, but its input is {value.shape}", "sizes must agree"
        )
    rows = math.prod(value.shape) // taps
    keeps = operator.options.get("KeepNumDims", False)
    if keeps and value.shape[-1] != taps:
        raise importer.fail(operator, f"keeps the axes of {value.shape}", f"need {taps} along the last")
    result = (*value.shape[:-1], filters) if keeps else (rows, filters)
    post, target, scale = _dense_post(importer, operator, layer, weights)
    layer = replace(layer, post=post)
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=result), layer.op, name)


def _weights(importer: Importer, operator: Operator, index: int, ndim: int) -> FileTensor:
    tensor = importer.tensor(index, operator, "weights")
    if tensor.data is None or tensor.type not in ("INT8", "INT4", "UINT8"):
        what = tensor.type if tensor.data is not None else "not constant"
        raise importer.fail(operator, f"its weights {tensor.name} are {what}", "need constant int8 or int4")
    if tensor.data.ndim != ndim or not tensor.data.size:
        raise importer.fail(operator, f"its weights {tensor.name} are {tensor.shape}", f"need {ndim} axes")
    if tensor.quantization is None:
        raise importer.fail(operator, f"its weights {tensor.name} are not quantized", "need a scale")
    return tensor


def _weight_encoding(importer: Importer, operator: Operator, weights: FileTensor) -> Uniform:
    assert weights.quantization is not None
    points = set(weights.quantization.zero_points.tolist())
    free = weights.type == "UINT8" or (operator.kind == "FULLY_CONNECTED" and len(weights.quantization.scales) == 1)
    if len(points) != 1 or (not free and points != {0}) or abs(max(points)) > 255:
        raise importer.fail(operator, f"its weights {weights.name} have zero points {sorted(points)}", "need 0")
    bits, signed = {"INT8": (8, True), "INT4": (4, True), "UINT8": (8, False)}[weights.type]
    return Uniform(bits=bits, signed=signed, zero_point=points.pop())


def _bias(importer: Importer, operator: Operator, indices: tuple[int, ...], filters: int) -> NDArray[Any] | None:
    if len(indices) < 3:
        return None
    tensor = importer.tensor(indices[2], operator, "bias")
    if tensor.data is None or tensor.type != "INT32" or tensor.data.size != filters:
        raise importer.fail(
            operator, f"its bias {tensor.name} is {tensor.type} of {tensor.shape}", f"need {filters} constant int32"
        )
    return tensor.data.reshape(-1).astype(np.int64)


def _scales(
    importer: Importer, operator: Operator, weights: FileTensor, filters: int, axis: int
) -> NDArray[np.float32]:
    """Return the weights' scales: one, or one a filter."""
    quantization = weights.quantization
    assert quantization is not None
    count = len(quantization.scales)
    if count not in (1, filters) or (count > 1 and quantization.axis != axis):
        raise importer.fail(
            operator, f"its weights have {count} scales along axis {quantization.axis}", "need one a filter"
        )
    return quantization.scales


def _post(
    importer: Importer, operator: Operator, layer: WeightedLayer, weights: FileTensor, axis: int
) -> tuple[Post, Uniform, float]:
    """Return a convolution's rescaling, the encoding of its output and that one's scale."""
    encoding, input_scale = importer.encoding(importer.file.tensors[operator.inputs[0]], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    scales = _scales(importer, operator, weights, layer.out_channels, axis)
    if encoding.signed:
        reals = input_scale * scales.astype(np.float64) / scale
    else:
        # Of unsigned codes the product is one of float32 numbers.
        reals = (np.float32(input_scale) * scales).astype(np.float64) / scale
    reals = np.broadcast_to(reals, layer.out_channels)
    bounds = channel_bounds(layer, encoding)
    return post_for(importer, operator, target, reals, clamp(importer, operator, target, scale), bounds), target, scale


def _dense_post(
    importer: Importer, operator: Operator, layer: WeightedLayer, weights: FileTensor
) -> tuple[Post, Uniform, float]:
    """Return a dense layer's rescaling, in float64, the encoding of its output and that one's scale."""
    encoding, input_scale = importer.encoding(importer.file.tensors[operator.inputs[0]], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    scales = _scales(importer, operator, weights, layer.out_channels, 0)
    reals = np.broadcast_to(input_scale * scales.astype(np.float64) / scale, layer.out_channels)
    bounds = channel_bounds(layer, encoding)
    allowed = clamp(importer, operator, target, scale)
    return rounding_once(f"{importer.subject}: {operator}", reals, target, allowed, bounds), target, scale
