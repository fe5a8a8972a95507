"""Nodes of QONNX that quantize constants: weights."""

from fractions import Fraction

import numpy as np

from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.powers import powers_of
from rowloom.model.formats.onnx.nodes.stated import (
    MOST_BITS,
    check_scale,
    flag_of,
    four_of,
    int_limits,
    integer_of,
    integers_of,
    rounding_of,
)
from rowloom.model.formats.onnx.numbers.quantizers import (
    PowerQuant,
)
from rowloom.model.formats.onnx.numbers.rounding import FLOATS
from rowloom.model.formats.onnx.reader import Node


def constant_quant(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """Quant and IntQuant on weights."""
    data, scale, zero_point, bits = four_of(inputs)
    points, width = integers_of(zero_point, "zero point"), integer_of(bits, "bits")
    signed, narrow = flag_of(node, "signed", 1), flag_of(node, "narrow", 1)
    check_scale(scale)
    y = data / scale + points.astype(np.float32)
    encoding: Encoding | None
    if not 1 <= width <= 32:
        raise Misfit(f"has {width} bits, where 1 to {MOST_BITS} are needed")
    if width == 1 and signed:
        integers, encoding = np.where(y >= 0, 1, -1), Binary()
    else:
        low, high = int_limits(width, signed, narrow)
        integers = FLOATS[rounding_of(node, "ROUND")](np.clip(y, np.float32(low), np.float32(high))).astype(np.int64)
        alone = width <= MOST_BITS and len(set(points.reshape(-1).tolist())) == 1
        point = int(points.reshape(-1)[0])
        encoding = Uniform(bits=width, signed=bool(signed), zero_point=point) if alone else None
    values = integers.astype(np.int64) - points
    return Constant((values.astype(np.float32) * scale).astype(np.float32), Grid(values, scale, encoding))


def constant_bipolar(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """BipolarQuant on weights."""
    arrays = [each.data for each in inputs if each is not None]
    if len(arrays) != 2:
        raise Misfit(f"has {len(arrays)} inputs, where 2 are needed")
    data, scale = arrays[0], arrays[1].astype(np.float32)
    check_scale(scale)
    values = np.where(data >= 0, 1, -1).astype(np.int64)
    return Constant(values.astype(np.float32) * scale, Grid(values, scale, Binary()))


def constant_float_quant(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """FloatQuant without mantissa bits on weights."""
    scale, least, greatest, shift, encoding = powers_of(importer, node)
    assert inputs[0] is not None
    check_scale(scale)
    quantizer = PowerQuant(
        scale=Parameter.scalar(1.0),
        encoding=encoding,
        unit=(Fraction(1),),
        least=least,
        greatest=greatest,
        rounding=rounding_of(node, "ROUND"),
        shift=shift,
    )
    scaled = (inputs[0].data / scale).astype(np.float32)
    values = encoding.decode(quantizer.codes(scaled, (np.ones(1, np.float32),)))
    unit = (scale * np.float32(2.0**-shift)).astype(np.float32)
    return Constant((values * unit).astype(np.float32), Grid(values, unit, encoding))
