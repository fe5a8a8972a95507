"""Operators that move codes or name them anew: RESHAPE, PAD, CONCATENATION; and what ends a network."""

import math
from dataclasses import replace

from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.importer import INPUT, Importer, Value, map_shape
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.layers import ArgMax, Concat
from rowloom.model.softmax import IntegerSoftmax


def reshape(importer: Importer, operator: Operator) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the order of the data stays."""
    if not operator.inputs or len(operator.outputs) != 1:
        raise importer.fail(operator, "has no input or no output")
    value = importer.values.get(operator.inputs[0])
    if value is None:
        raise importer.fail(operator, "its input is not computed before")
    if any(value.padding):
        raise importer.fail(operator, "comes after PAD", "need a convolution or a pool there")
    shape = importer.output(operator).shape
    if operator.kind == "RESHAPE" and len(operator.inputs) > 1 and operator.inputs[1] in importer.constants:
        wanted = [int(size) for size in importer.constants[operator.inputs[1]].reshape(-1)]
        if wanted.count(-1) == 1 and 0 not in wanted:
            wanted[wanted.index(-1)] = abs(math.prod(value.shape) // math.prod(wanted))
        shape = tuple(wanted)
    if math.prod(shape) != math.prod(value.shape) or not shape:
        raise importer.fail(operator, f"makes {shape} of {value.shape}", "sizes must agree")
    importer.set(operator, replace(value, shape=shape), "another name for the same data")


def pad(importer: Importer, operator: Operator) -> None:
    """PAD and PADV2 with zeros: part of the next layer's padding."""
    indices = importer.inputs(operator, 2, 3)
    value = importer.value(indices[0], operator, padded=True)
    encoding, _ = importer.encoding(importer.file.tensors[indices[0]], operator)
    if len(indices) == 3 and importer.integers(indices[2], operator, "value").reshape(-1).tolist() != [
        encoding.zero_point
    ]:
        raise importer.fail(operator, "pads with a value other than 0", "need zeros")
    amounts = importer.integers(indices[1], operator, "amounts")
    if amounts.shape != (len(value.shape), 2) or amounts.min(initial=0) < 0 or amounts.max(initial=0) >= 1 << 16:
        raise importer.fail(operator, f"pads {amounts.tolist()} round {value.shape}", "need two amounts an axis")
    rows = amounts.tolist()
    if rows[0] != [0, 0] or rows[-1] != [0, 0] or len(rows) not in (3, 4):
        raise importer.fail(operator, "pads the batch or the channels", "need height and width")
    (top, bottom), (left, right) = rows[1:3] if len(rows) == 4 else ([0, 0], rows[1])
    before = value.padding
    padding = (before[0] + top, before[1] + bottom, before[2] + left, before[3] + right)
    importer.values[operator.outputs[0]] = replace(value, padding=padding)
    importer.builder.note([str(operator)], None, "part of the padding of the next layer")


def concatenation(importer: Importer, operator: Operator) -> None:
    """CONCATENATION along the channels."""
    if not operator.inputs or len(operator.outputs) != 1:
        raise importer.fail(operator, "has no input or no output")
    if operator.options.get("FusedActivationFunction", 0):
        raise importer.fail(operator, "has a fused activation", "need none")
    values = [importer.value(index, operator) for index in operator.inputs]
    target, scale = importer.encoding(importer.output(operator), operator)
    for index in operator.inputs:
        if importer.encoding(importer.file.tensors[index], operator) != (target, scale):
            raise importer.fail(operator, "joins tensors of different scales", "need one scale and zero point")
    rank = len(values[0].shape)
    if operator.options.get("Axis", 0) % rank != rank - 1 or any(len(value.shape) != rank for value in values):
        raise importer.fail(operator, f"joins along axis {operator.options.get('Axis')}", "need the channels")
    name = importer.layer_name("concat")
    layer = Concat(name=name, inputs=tuple(value.tensor for value in values), output=name)
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=importer.output(operator).shape), layer.op, name)


def softmax(importer: Importer, operator: Operator) -> None:
    """SOFTMAX at the end: on the host, in the reference kernel's integers."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.value(index, operator)
    _, scale = importer.encoding(importer.file.tensors[index], operator)
    target, target_scale = importer.encoding(importer.output(operator), operator)
    if importer.builder.tensors[value.tensor].shape[2] != value.shape[-1]:
        raise importer.fail(operator, f"runs along {value.shape[-1]} values", "need the channels")
    if (target.bits, target.signed, target.zero_point, target_scale) != (8, True, -128, 1 / 256):
        raise importer.fail(operator, "has an output that is not int8 of 1 / 256 from -128", "need that")
    beta = float(operator.options.get("Beta", 0.0)) or 1.0
    real = min(beta * scale * (1 << 26), float((1 << 31) - 1))
    multiplier, shift = quantize_multiplier(real)
    if not 0 <= shift <= 30 or multiplier < 1 << 30:
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
    importer.inputs(operator, 1, 1)
    value = importer.values.get(operator.inputs[0])
    if value is None or any(value.padding):
        raise importer.fail(operator, "its input is not computed by a layer", "need integers there")
    importer.set(operator, replace(value, real=True), "on the host: codes to floats")


def arg_max(importer: Importer, operator: Operator) -> None:
    """ARG_MAX along the channels of a 1 x 1 map."""
    index, axis_index = importer.inputs(operator, 2, 2)
    value = importer.value(index, operator)
    axis = importer.integers(axis_index, operator, "axis").reshape(-1).tolist()
    shape = importer.builder.tensors[value.tensor].shape
    rank = len(value.shape)
    if len(axis) != 1 or axis[0] % rank != rank - 1 or map_shape(value.shape) != (1, 1, shape[2]):
        raise importer.fail(operator, f"runs along axis {axis} of {value.shape}", "need the channels of a 1 x 1 map")
    name = importer.layer_name("argmax")
    layer = ArgMax(name=name, input=value.tensor, output=name)
    importer.builder.add(layer, Uniform(bits=max(1, (shape[2] - 1).bit_length()), signed=False))
    importer.set(operator, Value(tensor=name, shape=(1,)), layer.op, name)
