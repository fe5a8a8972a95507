"""Trunc: fewer bits of an integer."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.emit import quantize
from rowloom.model.formats.onnx.nodes.stated import (
    MOST_BITS,
    flag_of,
    int_limits,
    integer_of,
    needed,
    rounding_of,
    scale_of,
    units_of,
    width_of,
)
from rowloom.model.formats.onnx.numbers.quantizers import (
    Truncation,
    uniform_between,
)
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal


def trunc_node(importer: Importer, node: Node) -> None:
    """Trunc: version 1 has five inputs, version 2 six."""
    signal = importer.signal(node)
    count = len([name for name in node.inputs if name])
    parameter = scale_of(importer, node, signal.axes, needed(importer, node, 1))
    unit = units_of(importer, parameter)
    point = integer_of(needed(importer, node, 2), "zero point")
    rounding = rounding_of(node, "FLOOR")
    if count >= 6:
        output_scale = needed(importer, node, 4)
        ratio = float(np.asarray(output_scale).reshape(-1)[0]) / float(np.asarray(parameter.values).reshape(-1)[0])
        exponent = round(math.log2(ratio))
        bits = width_of(needed(importer, node, 5))
        signed = flag_of(node, "signed", 1)
        limits = int_limits(bits, signed, flag_of(node, "narrow", 0))
        out_unit = units_of(importer, scale_of(importer, node, signal.axes, output_scale))
        if abs(exponent) > 32:
            raise Misfit(f"has an output scale that is {ratio:g} of its scale, where 2^-32 to 2^32 is needed")
        divisor = Fraction(2) ** exponent
        encoding: Uniform = Uniform(bits=bits, signed=bool(signed))
        offset = -point / divisor
        # real = (y - zero point / divisor) * output scale
        quantizer = Truncation(
            scale=parameter,
            encoding=encoding,
            unit=out_unit,
            offset=offset * out_unit[0] if len(out_unit) == 1 else _no_offset(offset),
            zero_point=point,
            divisor=divisor,
            rounding=rounding,
            limits=limits,
        )
    else:
        input_bits, output_bits = (
            integer_of(needed(importer, node, 3), "input bits"),
            width_of(needed(importer, node, 4)),
        )
        if not 0 <= input_bits - output_bits <= 32:
            raise Misfit(f"truncates {input_bits} bits to {output_bits}")
        if "signed" in node.attributes:
            signed = flag_of(node, "signed", 1)
        else:
            signed = int(
                signal.carrier is None
                or min(signal.carrier.lows) + point < 0
                or bool(signal.carrier.layer and _negative(importer, signal))
            )
        quantizer = Truncation(
            scale=parameter,
            encoding=Uniform(bits=output_bits, signed=bool(signed), zero_point=point),
            unit=unit,
            offset=Fraction(0),
            zero_point=point,
            divisor=Fraction(1 << (input_bits - output_bits)),
            rounding=rounding,
            limits=None,
        )
        quantizer = _wide_enough(importer, signal, quantizer)
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def _no_offset(offset: Fraction) -> Fraction:
    if offset:
        raise Misfit("has a zero point and scales that differ by channel")
    return offset


def _ends(importer: Importer, signal: Signal) -> NDArray[Any]:
    carrier = signal.carrier
    if carrier is None:
        raise Misfit("takes the graph's input, which no node has quantized")
    count = max(len(carrier.lows), carrier.channels)
    k = np.stack([np.broadcast_to(np.array(each, np.int64), count) for each in (carrier.lows, carrier.highs)])
    return signal.evaluate(carrier.start(k, np.float64), importer.names)


def _negative(importer: Importer, signal: Signal) -> bool:
    return bool(_ends(importer, signal).min() < 0)


def _wide_enough(importer: Importer, signal: Signal, quantizer: Truncation) -> Truncation:
    """Version 1 does not clamp: give it an encoding that holds all that can come."""
    scale = np.asarray(quantizer.scale.values, np.float64).min()
    reached = _ends(importer, signal) / scale + quantizer.zero_point
    reached = reached / float(quantizer.divisor)
    low, high = math.floor(reached.min()) - 1, math.ceil(reached.max()) + 1
    encoding = quantizer.encoding
    if encoding.code_min <= low + 1 and high - 1 <= encoding.code_max:
        return quantizer
    wider = uniform_between(min(low, encoding.code_min), max(high, encoding.code_max))
    if wider.bits > MOST_BITS:
        raise Misfit(f"gives integers of {wider.bits} bits, where {MOST_BITS} is the most")
    return replace(quantizer, encoding=Uniform(bits=wider.bits, signed=wider.signed, zero_point=quantizer.zero_point))
