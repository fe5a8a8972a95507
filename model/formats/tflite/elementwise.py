"""ADD, and functions of single codes: QUANTIZE, RELU and their like."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import multiply_by_quantized_multiplier, requantize
from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.importer import Importer, Value
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.weighted import clamp, post_for
from rowloom.model.layers import Add

_LEFT_SHIFT = 20
"""Fraction bits that the reference ADD gives both inputs before it rescales them."""


def _every(encoding: Uniform) -> NDArray[np.int64]:
    return np.arange(encoding.code_min, encoding.code_max + 1, dtype=np.int64)


def add(importer: Importer, operator: Operator) -> None:
    """ADD: both inputs rescaled with 20 fraction bits, each with its own rounding, then the sum."""
    indices = importer.inputs(operator, 2, 2)
    target, scale = importer.encoding(importer.output(operator), operator)
    pairs = [importer.encoding(importer.file.tensors[index], operator) for index in indices]
    twice = 2 * max(pairs[0][1], pairs[1][1])
    tables = []
    for encoding, input_scale in pairs:
        multiplier, shift = quantize_multiplier(input_scale / twice)
        tables.append(
            multiply_by_quantized_multiplier(encoding.decode(_every(encoding)) << _LEFT_SHIFT, multiplier, shift)
        )
    sources = []
    bias = None
    used = []
    for index, (encoding, _), table in zip(indices, pairs, tables, strict=True):
        constant = importer.file.tensors[index].data
        if constant is None:
            sources.append(importer.value(index, operator))
            used.append(table)
        else:
            bias = table[constant.astype(np.int64).reshape(-1) - encoding.code_min]
    if not sources:
        raise importer.fail(operator, "adds two constants", "need an input that is computed")
    shapes = {importer.builder.tensors[source.tensor].shape for source in sources}
    if len(shapes) > 1:
        raise importer.fail(operator, f"adds maps of {' and '.join(map(str, shapes))}", "need equal shapes")
    channels = shapes.pop()[2]
    if bias is not None:
        if len(bias) not in (1, channels):
            raise importer.fail(operator, f"adds a constant of {len(bias)} values", f"need 1 or {channels}")
        bias = np.broadcast_to(bias, channels)
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
    name = importer.layer_name("add")
    layer = Add(
        name=name, inputs=tuple(s.tensor for s in sources), output=name, tables=tuple(used), bias=bias, post=post
    )
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=sources[0].shape), layer.op, name)


def clamped(importer: Importer, tensor: str, allowed: tuple[int, int]) -> str:
    """Return the tensor, or one whose codes are clamped, if ``allowed`` leaves any out."""
    record = importer.builder.tensors[tensor]
    encoding = record.encoding
    if allowed == (encoding.code_min, encoding.code_max):
        return tensor
    assert isinstance(encoding, Uniform)
    return _table(importer, tensor, np.clip(_every(encoding), *allowed), encoding, record.scale, "clamp")


def _table(
    importer: Importer, tensor: str, codes: NDArray[np.int64], target: Uniform, scale: float | None, stem: str
) -> str:
    """Append a layer that looks codes up, and return its output."""
    name = importer.layer_name(stem)
    layer = Add(name=name, inputs=(tensor,), output=name, tables=(target.decode(codes),))
    importer.builder.add(layer, target, scale)
    return name


def _function(importer: Importer, operator: Operator, codes: Callable[[Uniform, Uniform], NDArray[np.int64]]) -> None:
    """Append a layer for a function of single codes, or none if it keeps every value."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.value(index, operator)
    source, _ = importer.encoding(importer.file.tensors[index], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    result = codes(source, target)
    if source == target and np.array_equal(result, _every(source)):
        importer.set(operator, value, "keeps every value")
        return
    name = _table(importer, value.tensor, result, target, scale, operator.kind.lower())
    importer.set(operator, Value(tensor=name, shape=value.shape), "a table of codes", name)


def rescaled(importer: Importer, operator: Operator, allowed: tuple[int, int] | None = None) -> None:
    """QUANTIZE of integers, RELU, RELU6: code - zero point, rescaled, clamped."""
    input_scale = importer.encoding(importer.file.tensors[operator.inputs[0]], operator)[1]
    scale = importer.encoding(importer.output(operator), operator)[1]
    multiplier, shift = quantize_multiplier(input_scale / scale)

    def codes(source: Uniform, target: Uniform) -> NDArray[np.int64]:
        low, high = allowed or (target.code_min, target.code_max)
        return requantize(
            source.decode(_every(source)),
            multiplier=multiplier,
            shift=shift,
            zero_point=target.zero_point,
            code_min=low,
            code_max=high,
        )

    _function(importer, operator, codes)


def quantize(importer: Importer, operator: Operator) -> None:
    """QUANTIZE: of the float input on the host, of integers a rescaling."""
    (index,) = importer.inputs(operator, 1, 1)
    if importer.file.tensors[index].type == "FLOAT32":
        if index != importer.input_index:
            raise importer.fail(operator, "quantizes floats between layers", "need integers there")
        importer.quantize_input(operator)
    else:
        rescaled(importer, operator)


def relu(importer: Importer, operator: Operator) -> None:
    """RELU, RELU_N1_TO_1 and RELU6 as operators of their own."""
    from rowloom.model.formats.tflite.multipliers import activation_range

    importer.inputs(operator, 1, 1)
    target, scale = importer.encoding(importer.output(operator), operator)
    number = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[operator.kind]
    rescaled(
        importer,
        operator,
        activation_range(number, scale, target.zero_point, target.code_min, target.code_max),
    )
