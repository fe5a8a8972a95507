"""Functions of single codes: QUANTIZE, RELU, LEAKY_RELU, LOGISTIC, TANH, HARD_SWISH, MINIMUM."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import (
    multiply_by_quantized_multiplier,
    requantize,
    round_half_away,
    rounding_divide_by_power_of_two,
)
from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.ends import is_real, on_floats
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.multipliers import codes_between, quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import Value
from rowloom.model.layers import Add
from rowloom.model.post import Post, Requantize

Codes = NDArray[np.int64]


def of_codes(
    importer: Importer, operator: Operator, tensor: str, codes: Codes, target: Uniform, scale: float | None, stem: str
) -> str:
    """Append a table of codes, and return its output; engines without tables have ``model/rewrites/tables.py``."""
    name = importer.layer_name(stem)
    layer = Add(name=name, inputs=(tensor,), output=name, tables=(target.decode(codes),))
    importer.builder.add(layer, target, scale)
    return name


def remember(importer: Importer, tensor: str, source: str, codes: Codes) -> None:
    """Keep in mind that a tensor's codes are a function of another's, or of that one's of which this is one."""
    first, of_first = importer.functions.get(source, (source, None))
    encoding = importer.builder.tensors[source].encoding
    importer.functions[tensor] = first, codes if of_first is None else codes[of_first - encoding.code_min]


def clamped(importer: Importer, operator: Operator, tensor: str, allowed: tuple[int, int]) -> str:
    """Return the tensor, or one whose codes are clamped, if ``allowed`` leaves any out."""
    record = importer.builder.tensors[tensor]
    encoding = record.encoding
    assert isinstance(encoding, Uniform)
    if allowed == (encoding.code_min, encoding.code_max):
        return tensor
    return of_codes(importer, operator, tensor, np.clip(encoding.every_code, *allowed), encoding, record.scale, "clamp")


def _function(
    importer: Importer,
    operator: Operator,
    codes: Callable[[Uniform, float, Uniform, float], Codes],
    post: Callable[[int], Post] | None = None,
) -> None:
    """Append a layer for a function of single codes, or none if it keeps every value.

    Parameters
    ----------
    codes : function
        Takes encoding and scale of input and output, returns the output's code of each of the input's.
    post : function, optional
        Takes a number of channels, returns what makes these codes of the values.
    """
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.elements(index, operator)
    source, input_scale = importer.encoding(importer.file.tensors[index], operator)
    target, scale = importer.encoding(importer.output(operator), operator)
    result = codes(source, input_scale, target, scale)
    if source == target and np.array_equal(result, source.every_code):
        importer.set(operator, value, "keeps every value")
        return
    stem = operator.kind.lower()
    if post is not None:
        name = importer.layer_name(stem)
        tables = (source.every_value,)
        channels = importer.shape(value)[2]
        layer = Add(name=name, inputs=(value.tensor,), output=name, tables=tables, post=post(channels))
        importer.builder.add(layer, target, scale)
    else:
        name = of_codes(importer, operator, value.tensor, result, target, scale, stem)
    remember(importer, name, value.tensor, result)
    importer.set(
        operator, Value(tensor=name, shape=value.shape, places=value.places), "a function of single codes", name
    )


def _without_sign(importer: Importer, operator: Operator, value: Value) -> None:
    """A QUANTIZE to uint8 of what SOFTMAX gives."""
    target, scale = importer.encoding(importer.output(operator), operator)
    if value.real or (target, scale) != (Uniform(bits=8, signed=False), 1 / 256):
        raise importer.fail(operator, f"makes {target} of what SOFTMAX gives", "need uint8 of 1 / 256 from 0")
    assert value.softmax is not None
    importer.set(operator, replace(value, softmax=replace(value.softmax, zero_point=0)), "on the host")


def quantize(importer: Importer, operator: Operator) -> None:
    """QUANTIZE: of the float input on the host, of integers a rescaling by the quotient of the scales."""
    (index,) = importer.inputs(operator, 1, 1)
    if importer.file.tensors[index].type == "FLOAT32":
        importer.quantize_input(operator)
        return
    value = importer.values.get(index)
    if value is not None and value.softmax is not None:
        _without_sign(importer, operator, value)
        return
    input_scale = importer.encoding(importer.file.tensors[index], operator)[1]
    target, scale = importer.encoding(importer.output(operator), operator)
    multiplier, shift = quantize_multiplier(input_scale / scale)

    def codes(source: Uniform, _: float, target: Uniform, __: float) -> Codes:
        return _rescaled(source, multiplier, shift, target, (target.code_min, target.code_max))

    def post(channels: int) -> Post:
        return Requantize(
            multiplier=np.full(channels, multiplier),
            shift=np.full(channels, shift),
            output_zero_point=target.zero_point,
        )

    _function(importer, operator, codes, post if -31 <= shift <= 20 else None)


def _rescaled(source: Uniform, multiplier: int, shift: int, target: Uniform, allowed: tuple[int, int]) -> Codes:
    return requantize(
        source.every_value,
        multiplier=multiplier,
        shift=shift,
        zero_point=target.zero_point,
        code_min=allowed[0],
        code_max=allowed[1],
    )


def relu(importer: Importer, operator: Operator) -> None:
    """RELU, RELU_N1_TO_1, RELU_0_TO_1 and RELU6: rescaled by a quotient of float32 numbers, then clamped."""
    limits = {"RELU": (0.0, None), "RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0), "RELU_0_TO_1": (0.0, 1.0)}

    def codes(source: Uniform, input_scale: float, target: Uniform, scale: float) -> Codes:
        multiplier, shift = quantize_multiplier(float(np.float32(input_scale) / np.float32(scale)))
        allowed = codes_between(limits[operator.kind], scale, target)
        return _rescaled(source, multiplier, min(shift, 22), target, allowed)

    _function(importer, operator, codes)


def leaky_relu(importer: Importer, operator: Operator) -> None:
    """LEAKY_RELU: two rescalings, one for either sign."""
    alpha = np.float32(operator.options.get("Alpha", 0.0))

    def codes(source: Uniform, input_scale: float, target: Uniform, scale: float) -> Codes:
        one, other = np.float32(input_scale), np.float32(scale)
        values = source.every_value
        slopes = [float(one / other), float(one * alpha / other)]
        above, below = (
            np.sign(slope) * multiply_by_quantized_multiplier(values, *quantize_multiplier(abs(slope)))
            for slope in slopes
        )
        wanted = np.where(values >= 0, above, below) + target.zero_point
        return np.clip(wanted, target.code_min, target.code_max).astype(np.int64)

    if not np.isfinite(alpha):
        raise importer.fail(operator, f"has a slope of {alpha}", "need a number")
    _function(importer, operator, codes)


def logistic(importer: Importer, operator: Operator) -> None:
    """LOGISTIC: of floats on the host, of codes in float32."""
    if is_real(importer, operator):
        on_floats(importer, operator)
    else:
        one = np.float32(1)
        _evaluated(importer, operator, lambda x: one / (one + _single(np.exp, -x)))


def tanh(importer: Importer, operator: Operator) -> None:
    """TANH, in float32."""
    _evaluated(importer, operator, lambda x: _single(np.tanh, x))


def _single(function: Callable[[NDArray[Any]], NDArray[Any]], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a function of float32 numbers, rounded to nearest."""
    return function(x.astype(np.float64)).astype(np.float32)


def _evaluated(
    importer: Importer, operator: Operator, function: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    """Append a function that the reference evaluates in float32 for every code.

    References
    ----------
    TensorFlow Lite, kernels/internal/common.h, LUTPopulate.
    """

    def codes(source: Uniform, input_scale: float, target: Uniform, scale: float) -> Codes:
        with np.errstate(over="ignore", under="ignore"):
            real = function(np.float32(input_scale) * source.every_value.astype(np.float32))
            rounded = round_half_away(real * (np.float32(1) / np.float32(scale)))
        wanted = np.clip(rounded.astype(np.float64) + target.zero_point, target.code_min, target.code_max)
        return wanted.astype(np.int64)

    _function(importer, operator, codes)


def hard_swish(importer: Importer, operator: Operator) -> None:
    """HARD_SWISH, in 16-bit fixed point.

    References
    ----------
    TensorFlow Lite, kernels/internal/reference/hard_swish.h.
    """

    def codes(source: Uniform, input_scale: float, target: Uniform, scale: float) -> Codes:
        fine = np.float32(1 / 128) * np.float32(input_scale)
        output, output_shift = _narrow(quantize_multiplier(float(fine / np.float32(scale))))
        relu_like, relu_shift = _narrow(quantize_multiplier(float(fine / np.float32(3 / 32768))))
        if output_shift > 0:
            raise importer.fail(operator, "has an output scale below 1 / 128 of its input's", "need more")
        high = source.every_value << 7
        scaled = _high_mul(high, output)
        part = high
        if relu_shift > 0:
            part = _saturated(part << min(relu_shift - 1, 31))
        part = _high_mul(part, relu_like)
        if relu_shift > 0:
            part = _saturated(part << 1)
        elif relu_shift < 0:
            part = rounding_divide_by_power_of_two(part, min(-relu_shift, 31))
        part = (part + (1 << 15)) >> 1
        product = part * scaled
        product = _saturated(np.sign(product) * (np.abs(product) >> 15))
        result = rounding_divide_by_power_of_two(product, min(-output_shift, 31)) + target.zero_point
        return np.clip(result, target.code_min, target.code_max)

    _function(importer, operator, codes)


def _narrow(pair: tuple[int, int]) -> tuple[int, int]:
    """Return a multiplier with 15 fraction bits for one with 31."""
    multiplier, shift = pair
    return (0x7FFF if multiplier >= 0x7FFF_7FFF else (multiplier + (1 << 15)) >> 16), shift


def _saturated(x: Codes) -> Codes:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _high_mul(x: Codes, y: int) -> Codes:
    """Return the high 16 bits of 2xy, rounded, ties away from zero; saturated."""
    product = x * y
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return _saturated(np.where(nudged >= 0, nudged >> 15, -(-nudged >> 15)))


def limit(importer: Importer, operator: Operator) -> None:
    """MINIMUM and MAXIMUM of a map and a constant code."""
    indices = importer.inputs(operator, 2, 2)
    known = [index for index in indices if index not in importer.values]
    if len(known) != 1 or importer.tensor(known[0], operator, "input").data is None:
        raise importer.fail(operator, "compares two maps", "need one constant")
    index = indices[1 - indices.index(known[0])]
    value = importer.elements(index, operator)
    encodings = [importer.encoding(importer.file.tensors[each], operator)[0] for each in indices]
    target, scale = importer.encoding(importer.output(operator), operator)
    code = importer.integers(known[0], operator, "limit").reshape(-1).tolist()
    if len(code) != 1 or encodings != [target, target]:
        raise importer.fail(operator, f"compares with {len(code)} codes", "need one, of the same zero point")
    function = {"MINIMUM": np.minimum, "MAXIMUM": np.maximum}[operator.kind]
    codes = function(target.every_code, code[0])
    name = of_codes(importer, operator, value.tensor, codes, target, scale, operator.kind.lower())
    remember(importer, name, value.tensor, codes)
    shape = (1,) * (len(importer.file.tensors[known[0]].shape) - len(value.shape)) + value.shape
    places = None if value.places is None else value.places.reshape(shape)
    importer.set(operator, Value(tensor=name, shape=shape, places=places), "a function of single codes", name)
