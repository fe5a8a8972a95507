"""AVERAGE_POOL_2D, MAX_POOL_2D, MEAN and REDUCE_MAX."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bisection import find_thresholds
from rowloom.model.bounds import pool_bounds
from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.functions import clamped
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import Value, map_shape
from rowloom.model.formats.tflite.weighted import clamp, window
from rowloom.model.layers import AveragePool2d, MaxPool2d
from rowloom.model.post import Requantize


def average_pool(importer: Importer, operator: Operator) -> None:
    """AVERAGE_POOL_2D: codes summed, divided by the count of those that are not padding, halves away from zero."""
    target, scale = _same_zero(importer, operator)
    slide = window(importer, operator, _kernel(operator), lambda fill, beside: not fill and not beside)
    shape = importer.shape(slide.value)
    name = importer.layer_name("pool")
    layer = AveragePool2d(
        name=name,
        input=slide.value.tensor,
        output=name,
        kernel=slide.kernel,
        stride=slide.stride,
        padding=slide.padding,
        count_include_pad=any(slide.value.padding),
    )
    layer.output_shape(shape)
    unit = layer.scale(shape)
    low, high = clamp(importer, operator, target, scale)

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        # sum / unit + zero point = the average of the codes.
        numerator = sums + unit * target.zero_point
        away = np.where(numerator > 0, (2 * numerator + unit) // (2 * unit), -((unit - 2 * numerator) // (2 * unit)))
        return np.clip(away, low, high)

    bounds = pool_bounds(layer, target, shape)
    subject = f"{importer.subject}: {operator}"
    if max(abs(each) for each in (*bounds[0], *bounds[1])) >= 1 << 47:
        raise importer.fail(
            operator,
            f"has windows of so many counts of taps that sums are {unit} times averages",
            "need sums of at most 48 bits",
        )
    layer = replace(layer, post=find_thresholds(subject, codes, target, *bounds))
    output = importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=slide.shape(output.shape)), layer.op, name)


def max_pool(importer: Importer, operator: Operator) -> None:
    """MAX_POOL_2D."""
    target, scale = _same_zero(importer, operator)
    slide = window(importer, operator, _kernel(operator), lambda fill, beside: fill == target.min)
    name = importer.layer_name("pool")
    layer = MaxPool2d(
        name=name,
        input=slide.value.tensor,
        output=name,
        kernel=slide.kernel,
        stride=slide.stride,
        padding=slide.padding,
    )
    output = importer.builder.add(layer, target, scale)
    tensor = clamped(importer, operator, name, clamp(importer, operator, target, scale))
    importer.set(operator, Value(tensor=tensor, shape=slide.shape(output.shape)), layer.op, name)


def mean(importer: Importer, operator: Operator) -> None:
    """MEAN over height and width: values summed, then rescaled by input scale / output scale / count."""
    value, kernel, shape = _reduced(importer, operator)
    _, input_scale = importer.encoding(importer.file.tensors[operator.inputs[0]], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    count = math.prod(kernel)
    multiplier, shift = quantize_multiplier(input_scale / scale)
    # The count becomes part of the multiplier, as far as 32 bits allow.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    multiplier, shift = (multiplier << extra) // count, shift - extra
    channels = importer.shape(value)[2]
    name = importer.layer_name("pool")
    layer = AveragePool2d(
        name=name,
        input=value.tensor,
        output=name,
        kernel=kernel,
        post=Requantize(
            multiplier=np.full(channels, multiplier),
            shift=np.full(channels, shift),
            output_zero_point=target.zero_point,
        ),
    )
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=shape), layer.op, name)


def reduce_max(importer: Importer, operator: Operator) -> None:
    """REDUCE_MAX over height and width."""
    target, scale = _same_zero(importer, operator)
    value, kernel, shape = _reduced(importer, operator)
    name = importer.layer_name("pool")
    layer = MaxPool2d(name=name, input=value.tensor, output=name, kernel=kernel)
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=shape), layer.op, name)


def _reduced(importer: Importer, operator: Operator) -> tuple[Value, tuple[int, int], tuple[int, ...]]:
    """Return what is reduced, over which window of the map, and the file's shape of the result."""
    index, axes_index = importer.inputs(operator, 2, 2)
    value = importer.value(index, operator)
    rank = len(value.shape)
    wanted = importer.integers(axes_index, operator, "axes").reshape(-1).tolist()
    axes = {axis + rank if axis < 0 else axis for axis in wanted}
    channels = importer.shape(value)[2]
    spatial = {axis for axis in axes if 0 <= axis < rank and value.shape[axis] > 1}
    seen = map_shape(value.shape)
    if not axes <= set(range(rank)) or rank - 1 in axes or rank < 3 or seen is None or value.shape[-1] != channels:
        raise importer.fail(operator, f"reduces axes {sorted(axes)} of {value.shape}", "need height and width")
    rows = seen[0] if rank == 4 and 1 in spatial else 1
    columns = seen[1] if rank - 2 in spatial else 1
    kernel = (columns, rows) if importer.is_turned(value) else (rows, columns)
    keeps = operator.options.get("KeepDims", False)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape) if keeps or axis not in axes)
    return value, kernel, shape


def _same_zero(importer: Importer, operator: Operator) -> tuple[Uniform, float]:
    """Return the output's encoding and scale; the zero point must be the input's."""
    encoding, _ = importer.encoding(importer.tensor(operator.inputs[0], operator, "input"), operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    if target != encoding:
        raise importer.fail(operator, "has different zero points in and out", "need the same")
    return target, scale


def _kernel(operator: Operator) -> tuple[int, int]:
    return operator.options.get("FilterHeight", 0), operator.options.get("FilterWidth", 0)
