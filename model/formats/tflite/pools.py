"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN."""

import math

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.bisection import find_thresholds
from rowloom.model.formats.tflite.importer import Importer, Value
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.weighted import clamp, window
from rowloom.model.layers import AveragePool2d, MaxPool2d
from rowloom.model.post import Requantize


def average_pool(importer: Importer, operator: Operator) -> None:
    """AVERAGE_POOL_2D: codes summed, divided by the count of those that are not padding, halves away from zero."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.value(index, operator, padded=True)
    encoding, scale = importer.encoding(importer.file.tensors[index], operator)
    target, _ = importer.encoding(importer.output(operator), operator)
    if target != encoding:
        raise importer.fail(operator, "has different zero points in and out", "need the same")
    stride, _, padding = window(importer, operator, value, kernel := _kernel(importer, operator))
    padded = any(value.padding)
    if padded and padding != value.padding:
        raise importer.fail(operator, "comes after PAD and pads by itself", "need VALID there")
    shape = importer.builder.tensors[value.tensor].shape
    name = importer.layer_name("pool")
    layer = AveragePool2d(
        name=name,
        input=value.tensor,
        output=name,
        kernel=kernel,
        stride=stride,
        padding=padding,
        count_include_pad=padded,
    )
    unit = layer.scale(shape)
    low, high = clamp(importer, operator, target, scale)

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        # sum / unit + zero point = the average of the codes.
        numerator = sums + unit * encoding.zero_point
        away = np.where(numerator > 0, (2 * numerator + unit) // (2 * unit), -((unit - 2 * numerator) // (2 * unit)))
        return np.clip(away, low, high)

    channels = shape[2]
    bounds = ([encoding.min * unit] * channels, [encoding.max * unit] * channels)
    subject = f"{importer.subject}: {operator}"
    object.__setattr__(layer, "post", find_thresholds(subject, codes, target, *bounds))
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=importer.output(operator).shape), layer.op, name)


def max_pool(importer: Importer, operator: Operator) -> None:
    """MAX_POOL_2D."""
    from rowloom.model.formats.tflite.elementwise import clamped

    (index,) = importer.inputs(operator, 1, 1)
    value = importer.value(index, operator, padded=True)
    encoding, scale = importer.encoding(importer.file.tensors[index], operator)
    target, _ = importer.encoding(importer.output(operator), operator)
    if target != encoding:
        raise importer.fail(operator, "has different zero points in and out", "need the same")
    if any(value.padding) and encoding.zero_point != encoding.code_min:
        raise importer.fail(operator, "comes after PAD, whose zeros could be the greatest", "need values from 0 on")
    stride, _, padding = window(importer, operator, value, kernel := _kernel(importer, operator))
    name = importer.layer_name("pool")
    layer = MaxPool2d(name=name, input=value.tensor, output=name, kernel=kernel, stride=stride, padding=padding)
    importer.builder.add(layer, target, scale)
    tensor = clamped(importer, name, clamp(importer, operator, target, scale))
    importer.set(operator, Value(tensor=tensor, shape=importer.output(operator).shape), layer.op, name)


def mean(importer: Importer, operator: Operator) -> None:
    """MEAN over the whole map: values summed, then rescaled by input scale / output scale / count."""
    index, axes_index = importer.inputs(operator, 2, 2)
    value = importer.value(index, operator)
    shape = importer.builder.tensors[value.tensor].shape
    rank = len(value.shape)
    axes = {int(axis) % rank for axis in importer.integers(axes_index, operator, "axes").reshape(-1)}
    kept = math.prod(size for axis, size in enumerate(value.shape) if axis not in axes)
    if rank - 1 in axes or 0 in axes or kept != shape[2] or rank < 3:
        raise importer.fail(operator, f"averages axes {sorted(axes)} of {value.shape}", "need height and width")
    _, input_scale = importer.encoding(importer.file.tensors[index], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    count = shape[0] * shape[1]
    multiplier, shift = quantize_multiplier(float(input_scale) / float(scale))
    # The count becomes part of the multiplier, as far as 32 bits allow.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier, shift = (multiplier << extra) // count, shift - extra
    name = importer.layer_name("pool")
    layer = AveragePool2d(
        name=name,
        input=value.tensor,
        output=name,
        kernel=shape[:2],
        post=Requantize(
            multiplier=np.full(shape[2], multiplier),
            shift=np.full(shape[2], shift),
            output_zero_point=target.zero_point,
        ),
    )
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=importer.output(operator).shape), layer.op, name)


def _kernel(importer: Importer, operator: Operator) -> tuple[int, int]:
    kernel = (operator.options.get("FilterHeight", 0), operator.options.get("FilterWidth", 0))
    if min(kernel) < 1 or max(kernel) >= 1 << 16:
        raise importer.fail(operator, f"has a window of {kernel}", "need at least 1 x 1")
    return kernel
