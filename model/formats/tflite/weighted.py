"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import requantize
from rowloom.model.bounds import channel_bounds
from rowloom.model.encodings import Uniform
from rowloom.model.formats.bisection import find_thresholds
from rowloom.model.formats.tflite.importer import Importer, Value
from rowloom.model.formats.tflite.multipliers import activation_range, quantize_multipliers
from rowloom.model.formats.tflite.reader import FileTensor, Operator
from rowloom.model.formats.tflite.single import rounding_once
from rowloom.model.layers import Conv2d, Linear, WeightedLayer
from rowloom.model.post import Post, Requantize

SAME, VALID = 0, 1


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return what TFLite's SAME puts before and after: the output has ceil(size / stride), the odd one goes behind."""
    output = -(-size // stride)
    total = max((output - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def window(
    importer: Importer, operator: Operator, value: Value, kernel: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    """Return stride, dilation and padding of a window that slides; a PAD before it is part of the padding."""
    options = operator.options
    stride = (options.get("StrideH", 1), options.get("StrideW", 1))
    dilation = (options.get("DilationHFactor", 1), options.get("DilationWFactor", 1))
    if min(*stride, *dilation) < 1 or max(*stride, *dilation) >= 1 << 16:
        raise importer.fail(operator, f"has stride {stride} and dilation {dilation}", "need at least 1")
    kind = options.get("Padding")
    if kind not in (SAME, VALID):
        raise importer.fail(operator, f"has padding of kind {kind}", "need SAME or VALID")
    top, bottom, left, right = value.padding
    if kind == SAME:
        height, width, _ = importer.builder.tensors[value.tensor].shape
        above, below = same_padding(height + top + bottom, kernel[0], stride[0], dilation[0])
        before, after = same_padding(width + left + right, kernel[1], stride[1], dilation[1])
        top, bottom, left, right = top + above, bottom + below, left + before, right + after
    return stride, dilation, (top, bottom, left, right)


def clamp(importer: Importer, operator: Operator, target: Uniform, scale: float) -> tuple[int, int]:
    """Return the codes that the fused activation leaves."""
    activation = operator.options.get("FusedActivationFunction", 0)
    allowed = activation_range(activation, scale, target.zero_point, target.code_min, target.code_max)
    if allowed is None:
        raise importer.fail(operator, f"has fused activation {activation}", "need none, RELU, RELU_N1_TO_1 or RELU6")
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
    value = importer.value(indices[0], operator, padded=True)
    channels = importer.builder.tensors[value.tensor].shape[2]
    if weights.data.shape[3] < 1 or channels % weights.data.shape[3]:
        raise importer.fail(
            operator,
            f"has weights for {weights.data.shape[3]} channels, but its input has {channels}",
            "need a divisor",
        )
    kernel = (weights.data.shape[1], weights.data.shape[2])
    stride, dilation, padding = window(importer, operator, value, kernel)
    layer = Conv2d(
        name=(name := importer.layer_name("conv")),
        input=value.tensor,
        output=name,
        weights=weights.data,
        weight_encoding=_weight_encoding(importer, operator, weights),
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=channels // weights.data.shape[3],
        bias=_bias(importer, operator, indices, len(weights.data)),
    )
    _finish(importer, operator, layer, weights, axis=0, rank=4)


def depthwise(importer: Importer, operator: Operator) -> None:
    """DEPTHWISE_CONV_2D: weights [1, R, S, M]."""
    indices = importer.inputs(operator, 2, 3)
    weights = _weights(importer, operator, indices[1], ndim=4)
    assert weights.data is not None
    value = importer.value(indices[0], operator, padded=True)
    channels = importer.builder.tensors[value.tensor].shape[2]
    if weights.data.shape[0] != 1 or weights.data.shape[3] % channels:
        raise importer.fail(
            operator, f"has weights of {weights.data.shape}, but its input has {channels} channels", "need a multiple"
        )
    kernel = (weights.data.shape[1], weights.data.shape[2])
    stride, dilation, padding = window(importer, operator, value, kernel)
    layer = Conv2d(
        name=(name := importer.layer_name("depthwise")),
        input=value.tensor,
        output=name,
        weights=weights.data.transpose(3, 1, 2, 0),
        weight_encoding=_weight_encoding(importer, operator, weights),
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=channels,
        bias=_bias(importer, operator, indices, weights.data.shape[3]),
    )
    _finish(importer, operator, layer, weights, axis=3, rank=4)


def fully_connected(importer: Importer, operator: Operator) -> None:
    """FULLY_CONNECTED: weights [M, K] over the whole map, or over each pixel's channels."""
    indices = importer.inputs(operator, 2, 3)
    if operator.options.get("WeightsFormat", 0):
        raise importer.fail(operator, "has shuffled weights", "need the default format")
    weights = _weights(importer, operator, indices[1], ndim=2)
    assert weights.data is not None
    value = importer.value(indices[0], operator)
    shape = importer.builder.tensors[value.tensor].shape
    filters, taps = weights.data.shape
    encoding = _weight_encoding(importer, operator, weights)
    bias = _bias(importer, operator, indices, filters)
    name = importer.layer_name("dense")
    layer: WeightedLayer
    if taps == math.prod(shape):
        codes = weights.data.reshape(filters, *shape)
        layer = Linear(name=name, input=value.tensor, output=name, weights=codes, weight_encoding=encoding, bias=bias)
    elif taps == shape[2] == value.shape[-1]:
        codes = weights.data.reshape(filters, 1, 1, taps)
        layer = Conv2d(name=name, input=value.tensor, output=name, weights=codes, weight_encoding=encoding, bias=bias)
    else:
        raise importer.fail(
            operator, f"has weights for {taps} values, but its input is {value.shape}", "sizes must agree"
        )
    _finish(importer, operator, layer, weights, axis=0, rank=2)


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
    if len(points) != 1 or (weights.type != "UINT8" and points != {0}):
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


def _finish(
    importer: Importer, operator: Operator, layer: WeightedLayer, weights: FileTensor, *, axis: int, rank: int
) -> None:
    """Give the layer its rescaling and append it."""
    source = importer.file.tensors[operator.inputs[0]]
    tensor = importer.output(operator)
    encoding, input_scale = importer.encoding(source, operator)
    target, scale = importer.encoding(tensor, operator)
    quantization = weights.quantization
    assert quantization is not None
    if len(quantization.scales) == 1 and rank == 2:
        # The product is one of float32 numbers here, and of float64 numbers per channel.
        product = np.float32(input_scale) * quantization.scales
        reals = product.astype(np.float64) / scale
    else:
        reals = float(input_scale) * quantization.scales.astype(np.float64) / scale
    if len(reals) not in (1, layer.out_channels) or (len(reals) > 1 and quantization.axis != axis):
        raise importer.fail(
            operator, f"its weights have {len(reals)} scales along axis {quantization.axis}", "need one a filter"
        )
    reals = np.broadcast_to(reals, layer.out_channels)
    bounds = channel_bounds(layer, encoding)
    allowed = clamp(importer, operator, target, scale)
    if rank == 2:
        multipliers, shifts = quantize_multipliers(reals, f"{importer.subject}: {operator}")
        post = rounding_once(multipliers, shifts, target, allowed, bounds)
    else:
        post = post_for(importer, operator, target, reals, allowed, bounds)
    object.__setattr__(layer, "post", post)
    importer.builder.add(layer, target, scale)
    folded = " with PAD" if isinstance(layer, Conv2d) and any(importer.values[operator.inputs[0]].padding) else ""
    importer.set(operator, Value(tensor=layer.output, shape=tensor.shape), f"{layer.op}{folded}", layer.name)
