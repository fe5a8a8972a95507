"""ADD, SUB, MUL and PRELU: of two maps, or of a map and constants."""

import math

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import multiply_by_quantized_multiplier, requantize
from rowloom.model.bisection import find_thresholds
from rowloom.model.encodings import Uniform
from rowloom.model.evaluate.add import TableSums
from rowloom.model.formats.tflite.functions import of_codes, remember
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import FileTensor, Operator
from rowloom.model.formats.tflite.values import Value
from rowloom.model.formats.tflite.weighted import clamp, post_for
from rowloom.model.layers import Add, Conv2d

_LEFT_SHIFT = 20
"""Fraction bits that the reference gives both inputs before it rescales and adds them."""


def add(importer: Importer, operator: Operator) -> None:
    """ADD and SUB: both inputs rescaled with 20 fraction bits, each with its own rounding, then the sum."""
    indices = importer.inputs(operator, 2, 2)
    target, scale = importer.encoding(importer.output(operator), operator)
    pairs = [importer.encoding(importer.tensor(index, operator, "input"), operator) for index in indices]
    twice = 2 * max(pairs[0][1], pairs[1][1])
    tables = []
    for encoding, input_scale in pairs:
        multiplier, shift = quantize_multiplier(input_scale / twice)
        tables.append(multiply_by_quantized_multiplier(encoding.every_value << _LEFT_SHIFT, multiplier, shift))
    if operator.kind == "SUB":
        tables[1] = -tables[1]
    known: list[int] = []
    used = []
    constant = None
    for index, (encoding, _), table in zip(indices, pairs, tables, strict=True):
        tensor = importer.file.tensors[index]
        if tensor.data is None or index in importer.values:
            known.append(index)
            used.append(table)
        else:
            constant = tensor, table[tensor.data.astype(np.int64) - encoding.code_min]
    sources = _alike(importer, operator, known, constant[0] if constant else None)
    value = max(sources, key=lambda source: len(source.shape))
    channels = importer.shape(value)[2]
    bias = None if constant is None else _per_channel(importer, operator, value, *constant)
    extra = [0] * channels if bias is None else bias.tolist()
    low = sum(int(table.min()) for table in used)
    high = sum(int(table.max()) for table in used)
    post = post_for(
        importer,
        operator,
        target,
        np.full(channels, twice / ((1 << _LEFT_SHIFT) * scale)),
        clamp(importer, operator, target, scale),
        ([low + b for b in extra], [high + b for b in extra]),
    )
    name = importer.layer_name(operator.kind.lower())
    layer = Add(
        name=name, inputs=tuple(s.tensor for s in sources), output=name, tables=tuple(used), bias=bias, post=post
    )
    importer.builder.add(layer, target, scale)
    _remember(importer, layer)
    importer.set(operator, _result(name, value, None if constant is None else constant[0]), layer.op, name)


def _result(name: str, value: Value, constant: FileTensor | None) -> Value:
    """Return the result, which has as many axes as the longer of both inputs."""
    rank = max(len(value.shape), 0 if constant is None else len(constant.shape))
    shape = (1,) * (rank - len(value.shape)) + value.shape
    return Value(tensor=name, shape=shape, places=None if value.places is None else value.places.reshape(shape))


def _alike(importer: Importer, operator: Operator, indices: list[int], constant: FileTensor | None) -> list[Value]:
    """Return the inputs that are computed, whose elements lie in the same order; in the map's beside constants."""
    if not indices:
        raise importer.fail(operator, "has two constants", "need an input that is computed")
    values = [importer.elements(index, operator) for index in indices]
    first, last = values[0], values[-1]
    if _bare(first.shape) != _bare(last.shape):
        raise importer.fail(operator, f"joins maps of {first.shape} and {last.shape}", "need equal shapes")
    if constant is not None and math.prod(constant.shape) == 1:
        return values
    same = importer.shape(first) == importer.shape(last) and (
        (first.places is None and last.places is None)
        or (
            first.places is not None
            and last.places is not None
            and np.array_equal(first.places.reshape(-1), last.places.reshape(-1))
        )
    )
    if constant is not None or not same:
        values = [importer.pixels(index, operator) for index in indices]
    stored = [importer.shape(value) for value in values]
    if len(set(stored)) > 1:
        raise importer.fail(operator, f"joins maps that lie as {' and '.join(map(str, stored))}", "need the same order")
    return values


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without the leading axes of 1, which broadcasting puts there."""
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    return shape[kept[0] :] if kept else ()


def _per_channel(
    importer: Importer, operator: Operator, value: Value, tensor: FileTensor, numbers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return one of a constant's numbers for each channel of the map."""
    channels = importer.shape(value)[2]
    if numbers.size == 1:
        return np.full(channels, int(numbers.reshape(-1)[0]), np.int64)
    shape = numbers.shape
    fits = all(size in (1, whole) for size, whole in zip(shape[::-1], value.shape[::-1], strict=False)) and all(
        size == 1 for size in shape[: max(0, len(shape) - len(value.shape))]
    )
    if not fits or value.places is not None or value.shape[-1] != channels:
        raise importer.fail(
            operator,
            f"joins {value.shape} and a constant {tensor.name} of {shape}",
            "need one number, or one a channel",
        )
    rows = np.unique(numbers.reshape(-1, shape[-1]), axis=0)
    if len(rows) > 1:
        raise importer.fail(
            operator, f"has a constant {tensor.name} that differs from pixel to pixel", "need one number a channel"
        )
    return np.broadcast_to(rows[0], channels).astype(np.int64)


def mul(importer: Importer, operator: Operator) -> None:
    """MUL by constants: products of values, rescaled by a product and quotient of float32 numbers."""
    indices = importer.inputs(operator, 2, 2)
    target, scale = importer.encoding(importer.output(operator), operator)
    pairs = [importer.encoding(importer.tensor(index, operator, "input"), operator) for index in indices]
    real = np.float32(pairs[0][1]) * np.float32(pairs[1][1]) / np.float32(scale)
    known = [index for index in indices if index not in importer.values]
    if not known:
        _product(importer, operator, indices, float(real))
        return
    if len(known) != 1:
        raise importer.fail(operator, "has two constants", "need one that is computed")
    place = indices.index(known[0])
    tensor, (encoding, _) = importer.file.tensors[known[0]], pairs[place]
    if tensor.data is None:
        raise importer.fail(operator, f"its input {tensor.name} is not computed before")
    (value,) = _alike(importer, operator, [indices[1 - place]], tensor)
    factors = _per_channel(importer, operator, value, tensor, encoding.decode(tensor.data))
    source = pairs[1 - place][0]
    channels = importer.shape(value)[2]
    ends = np.stack([factors * source.min, factors * source.max])
    bounds = ends.min(axis=0).tolist(), ends.max(axis=0).tolist()
    reals = np.full(channels, float(real))
    post = post_for(importer, operator, target, reals, clamp(importer, operator, target, scale), bounds)
    name = importer.layer_name("mul")
    layer: Add | Conv2d
    if (factors == factors[0]).all():
        tables = (source.every_value * int(factors[0]),)
        layer = Add(name=name, inputs=(value.tensor,), output=name, tables=tables, post=post)
    else:
        narrow = Uniform(bits=8, signed=True)
        if factors.min() < narrow.min or factors.max() > narrow.max:
            narrow = encoding
        layer = Conv2d(
            name=name,
            input=value.tensor,
            output=name,
            weights=narrow.encode(factors).reshape(-1, 1, 1, 1),
            weight_encoding=narrow,
            groups=channels,
            post=post,
        )
    importer.builder.add(layer, target, scale)
    if isinstance(layer, Add):
        _remember(importer, layer)
    importer.set(operator, _result(name, value, tensor), layer.op, name)


def _remember(importer: Importer, layer: Add) -> None:
    """Keep in mind what a layer does to single codes, if that is the same in all channels."""
    if len(layer.inputs) > 1:
        return
    source, target = importer.builder.tensors[layer.inputs[0]], importer.builder.tensors[layer.output]
    assert isinstance(source.encoding, Uniform)
    codes = np.repeat(source.encoding.every_code[:, None, None, None], source.shape[2], axis=3)
    results = TableSums.of(layer, [source.encoding], target.encoding).codes(codes)
    if (results == results[..., :1]).all():
        remember(importer, layer.output, source.name, results[:, 0, 0, 0].astype(np.int64))


def _product(importer: Importer, operator: Operator, indices: tuple[int, ...], real: float) -> None:
    """MUL of two maps whose codes are functions of the same codes, as in x * sigmoid(x)."""
    first, last = (importer.elements(index, operator) for index in indices)
    tables = []
    for value in (first, last):
        record = importer.builder.tensors[value.tensor]
        assert isinstance(record.encoding, Uniform)
        source, codes = importer.functions.get(value.tensor, (value.tensor, record.encoding.every_code))
        tables.append((source, record.encoding.decode(codes)))
    same = first.places is last.places or (
        first.places is not None and last.places is not None and np.array_equal(first.places, last.places)
    )
    if tables[0][0] != tables[1][0] or first.shape != last.shape or not same:
        raise importer.fail(operator, "multiplies two maps", "need a constant, or functions of the same map")
    target, scale = importer.encoding(importer.output(operator), operator)
    multiplier, shift = quantize_multiplier(real)
    allowed = clamp(importer, operator, target, scale)
    codes = requantize(
        tables[0][1] * tables[1][1],
        multiplier=multiplier,
        shift=min(shift, 14),
        zero_point=target.zero_point,
        code_min=allowed[0],
        code_max=allowed[1],
    )
    name = of_codes(importer, operator, tables[0][0], codes, target, scale, "mul")
    remember(importer, name, tables[0][0], codes)
    value = Value(tensor=name, shape=first.shape, places=first.places)
    importer.set(operator, value, "a function of single codes", name)


def prelu(importer: Importer, operator: Operator) -> None:
    """PRELU: a slope of its own for each channel where values are negative."""
    index, slopes = importer.inputs(operator, 2, 2)
    tensor = importer.tensor(slopes, operator, "slopes")
    if tensor.data is None:
        raise importer.fail(operator, f"its slopes {tensor.name} are not constant", "need constants")
    (value,) = _alike(importer, operator, [index], tensor)
    source, input_scale = importer.encoding(importer.file.tensors[index], operator)
    encoding, slope_scale = importer.encoding(tensor, operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    factors = _per_channel(importer, operator, value, tensor, encoding.decode(tensor.data))
    if (factors < 0).any():
        raise importer.fail(operator, "has negative slopes", "need slopes of at least 0")
    one, alpha, over = np.float32(input_scale), np.float32(slope_scale), np.float32(scale)
    above, below = quantize_multiplier(float(one / over)), quantize_multiplier(float(one * alpha / over))

    def codes(values: NDArray[np.int64]) -> NDArray[np.int64]:
        given = np.where(
            values >= 0,
            multiply_by_quantized_multiplier(values, *above),
            multiply_by_quantized_multiplier(values * factors, *below),
        )
        return np.clip(given + target.zero_point, target.code_min, target.code_max)

    channels = importer.shape(value)[2]
    bounds = [source.min] * channels, [source.max] * channels
    post = find_thresholds(f"{importer.subject}: {operator}", codes, target, *bounds)
    name = importer.layer_name("prelu")
    tables = (source.every_value,)
    layer = Add(name=name, inputs=(value.tensor,), output=name, tables=tables, post=post)
    importer.builder.add(layer, target, scale)
    importer.set(operator, _result(name, value, tensor), layer.op, name)
