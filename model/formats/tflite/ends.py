"""What ends a network: SOFTMAX, DEQUANTIZE and floats after it on the host, ARG_MAX in a layer."""

import math
from dataclasses import replace

from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.importer import INPUT, Importer
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import Value
from rowloom.model.layers import ArgMax
from rowloom.model.softmax import IntegerSoftmax

_STEPS = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid", "LOG_SOFTMAX": "log_softmax"}


def is_real(importer: Importer, operator: Operator) -> bool:
    """Return whether an operator takes floats that DEQUANTIZE made."""
    value = importer.values.get(operator.inputs[0])
    return value is not None and value.real


def on_floats(importer: Importer, operator: Operator) -> None:
    """SOFTMAX, LOGISTIC and LOG_SOFTMAX of floats: on the host."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.values[index]
    if operator.options.get("Beta", 1.0) != 1.0:
        raise importer.fail(operator, f"has beta {operator.options['Beta']:g} on floats", "need 1")
    if value.places is not None or (operator.kind != "LOGISTIC" and value.shape[-1] != importer.shape(value)[2]):
        raise importer.fail(operator, f"runs along {value.shape[-1]} values", "need the channels")
    importer.set(operator, replace(value, steps=(*value.steps, _STEPS[operator.kind])), "on the host")


def log_softmax(importer: Importer, operator: Operator) -> None:
    """LOG_SOFTMAX: of floats alone."""
    if not is_real(importer, operator):
        raise importer.fail(operator, "works on integers", "need floats, after DEQUANTIZE, or SOFTMAX")
    on_floats(importer, operator)


def softmax(importer: Importer, operator: Operator) -> None:
    """SOFTMAX at the end: on the host, in the reference kernel's integers."""
    if is_real(importer, operator):
        on_floats(importer, operator)
        return
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.pixels(index, operator)
    _, scale = importer.encoding(importer.file.tensors[index], operator)
    target, target_scale = importer.encoding(importer.output(operator), operator)
    if importer.shape(value)[2] != value.shape[-1]:
        raise importer.fail(operator, f"runs along {value.shape[-1]} values", "need the channels")
    if (target.bits, target.signed, target.zero_point, target_scale) != (8, True, -128, 1 / 256):
        raise importer.fail(operator, "has an output that is not int8 of 1 / 256 from -128", "need that")
    encoding = importer.builder.tensors[value.tensor].encoding
    if (encoding.bits, encoding.signed) != (8, True):
        raise importer.fail(operator, f"has an input of {encoding}", "need int8")
    beta = float(operator.options.get("Beta", 0.0))
    real = min(beta * scale * (1 << 26), float((1 << 31) - 1))
    multiplier, shift = quantize_multiplier(real) if real > 0 else (0, 0)
    if not 0 <= shift <= 31 or multiplier < 1 << 30:
        raise importer.fail(
            operator, f"has beta {beta:g} and input scale {scale:g}", "need beta * scale of at least 2^-27"
        )
    least = -math.floor(31 * (1 << 26) / (1 << shift))
    then = IntegerSoftmax(multiplier=multiplier, shift=shift, least=least)
    if value.tensor == INPUT:
        raise importer.fail(operator, "is all there is", "need layers before it")
    importer.set(operator, replace(value, softmax=then), "on the host")


def dequantize(importer: Importer, operator: Operator) -> None:
    """DEQUANTIZE at the end: on the host."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.values.get(index)
    if value is None:
        tensor = importer.tensor(index, operator, "input")
        raise importer.fail(
            operator, f"makes floats of {tensor.name}, a constant of {tensor.type}", "need layers of int8 weights"
        )
    if value.real or (value.tensor == INPUT and importer.input_is_open):
        raise importer.fail(operator, "its input is not computed by a layer", "need integers there")
    if value.softmax is None:
        value = importer.elements(index, operator)
        value = replace(value, scale=importer.encoding(importer.file.tensors[index], operator)[1])
    if importer.output(operator).type != "FLOAT32":
        raise importer.fail(operator, f"makes {importer.output(operator).type}", "need float32")
    importer.set(operator, replace(value, real=True), "on the host: codes to floats")


def arg_max(importer: Importer, operator: Operator) -> None:
    """ARG_MAX along the channels of a 1 x 1 map."""
    index, axis_index = importer.inputs(operator, 2, 2)
    if is_real(importer, operator):
        raise importer.fail(operator, "comes after DEQUANTIZE", "need it on integers")
    value = importer.pixels(index, operator)
    axis = importer.integers(axis_index, operator, "axis").reshape(-1).tolist()
    shape = importer.shape(value)
    rank = len(value.shape)
    if (
        len(axis) != 1
        or not -rank <= axis[0] < rank
        or axis[0] % rank != rank - 1
        or shape[:2] != (1, 1)
        or value.shape[-1] != shape[2]
    ):
        raise importer.fail(operator, f"runs along axis {axis} of {value.shape}", "need the channels of a 1 x 1 map")
    name = importer.layer_name("argmax")
    layer = ArgMax(name=name, input=value.tensor, output=name)
    importer.builder.add(layer, Uniform(bits=max(1, (shape[2] - 1).bit_length()), signed=False))
    importer.set(operator, Value(tensor=name, shape=value.shape[:-1] or (1,)), layer.op, name)
