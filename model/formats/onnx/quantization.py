"""Nodes that quantize: of QONNX (as Brevitas, QKeras and FINN write them) and of ONNX itself."""

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Binary, Encoding, PowerOfTwo, Ternary, Uniform
from rowloom.model.formats.onnx.axes import Axes, Misfit, Parameter
from rowloom.model.formats.onnx.emit import quantize
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.pointwise import Scale, Shift
from rowloom.model.formats.onnx.quantizers import (
    IntQuant,
    MultiThreshold,
    PowerQuant,
    Quantizer,
    SignQuant,
    Truncation,
    uniform_between,
)
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.rounding import FLOATS
from rowloom.model.formats.onnx.signal import Numbers, Signal

MOST_BITS = 16

DECOMPOSED = "torch.quantized_decomposed"
"""Domain of torch's own quantizers."""


def quant_node(importer: Importer, node: Node) -> None:
    """Quant and IntQuant on a signal."""
    signal = importer.signal(node)
    scale, zero_point, bits = (_needed(importer, node, place) for place in (1, 2, 3))
    quantizer = int_quantizer(importer, node, signal.axes, scale, zero_point, bits)
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def int_quantizer(
    importer: Importer, node: Node, axes: Axes, scale: NDArray[Any], zero_point: NDArray[Any], bits: NDArray[Any]
) -> Quantizer:
    """Return the quantizer of a Quant node on an activation."""
    parameter = _scale(importer, node, axes, scale)
    point = _integer(zero_point, "zero point")
    width = _width(bits)
    signed, narrow = _flag(node, "signed", 1), _flag(node, "narrow", 1)
    unit = _units(importer, parameter)
    if width == 1 and signed:
        if point:
            raise Misfit(f"has one signed bit and a zero point of {point}, where 0 is needed")
        return SignQuant(encoding=Binary(), unit=unit)
    low, high = int_limits(width, signed, narrow)
    ternary = (low, high, point) == (-1, 1, 0)
    return IntQuant(
        scale=parameter,
        encoding=Ternary() if ternary else Uniform(bits=width, signed=bool(signed), zero_point=point),
        unit=unit,
        low=low,
        high=high,
        zero_point=point,
        rounding=_rounding(node, "ROUND"),
    )


def int_limits(bits: int, signed: int, narrow: int) -> tuple[int, int]:
    """Return the least and the greatest integer of a Quant node."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def bipolar_node(importer: Importer, node: Node) -> None:
    """BipolarQuant on a signal."""
    signal = importer.signal(node)
    parameter = _scale(importer, node, signal.axes, _needed(importer, node, 1))
    quantizer = SignQuant(encoding=Binary(), unit=_units(importer, parameter))
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def sign_node(importer: Importer, node: Node) -> None:
    """Sign: -1 or +1 where no sum gives 0, else -1, 0 or +1."""
    signal = importer.signal(node)
    ternary = SignQuant(encoding=Ternary(), unit=(Fraction(1),))
    binary = SignQuant(encoding=Binary(), unit=(Fraction(1),))
    quantizer = ternary if signal.carrier is None or _gives_zero(importer, signal) else binary
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def _gives_zero(importer: Importer, signal: Signal) -> bool:
    """Whether any integer of the carrier makes the chain 0; the chain is monotone in each channel."""
    carrier = signal.carrier
    assert carrier is not None
    if signal.affine(importer.names) is None:
        return True
    low, high = np.array(carrier.lows, np.int64), np.array(carrier.highs, np.int64)
    count = max(carrier.channels, 1)
    low, high = np.broadcast_to(low, count).copy(), np.broadcast_to(high, count).copy()

    def at(k: NDArray[np.int64]) -> NDArray[Any]:
        with np.errstate(all="ignore"):
            y = signal.evaluate(carrier.start(k[None], np.float32), importer.names)
        return np.broadcast_to(y, (1, count))[0]

    if np.any(at(low) == 0) or np.any(at(high) == 0):
        return True
    rising = at(high) > at(low)
    while np.any(high - low > 1):
        middle = (low + high) >> 1
        y = at(middle)
        if np.any(y == 0):
            return True
        up = (y < 0) == rising
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return False


def trunc_node(importer: Importer, node: Node) -> None:
    """Trunc: version 1 has five inputs, version 2 six."""
    signal = importer.signal(node)
    count = len([name for name in node.inputs if name])
    parameter = _scale(importer, node, signal.axes, _needed(importer, node, 1))
    unit = _units(importer, parameter)
    point = _integer(_needed(importer, node, 2), "zero point")
    rounding = _rounding(node, "FLOOR")
    if count >= 6:
        output_scale = _needed(importer, node, 4)
        ratio = float(np.asarray(output_scale).reshape(-1)[0]) / float(np.asarray(parameter.values).reshape(-1)[0])
        exponent = round(math.log2(ratio))
        bits = _width(_needed(importer, node, 5))
        signed = _flag(node, "signed", 1)
        limits = int_limits(bits, signed, _flag(node, "narrow", 0))
        out_unit = _units(importer, _scale(importer, node, signal.axes, output_scale))
        divisor = 1 << exponent if exponent >= 0 else 0
        if not divisor:
            raise Misfit(f"has an output scale that is {ratio:g} of its scale, where 1 or more is needed")
        encoding: Uniform = Uniform(bits=bits, signed=bool(signed))
        offset = -Fraction(point, divisor)
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
        input_bits, output_bits = _integer(_needed(importer, node, 3), "input bits"), _width(_needed(importer, node, 4))
        if not 0 <= input_bits - output_bits <= 32:
            raise Misfit(f"truncates {input_bits} bits to {output_bits}")
        if "signed" in node.attributes:
            signed = _flag(node, "signed", 1)
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
            divisor=1 << (input_bits - output_bits),
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
    low, high = math.floor(reached.min() / quantizer.divisor) - 1, math.ceil(reached.max() / quantizer.divisor) + 1
    encoding = quantizer.encoding
    if encoding.code_min <= low + 1 and high - 1 <= encoding.code_max:
        return quantizer
    wider = uniform_between(min(low, encoding.code_min), max(high, encoding.code_max))
    if wider.bits > MOST_BITS:
        raise Misfit(f"gives integers of {wider.bits} bits, where {MOST_BITS} is the most")
    return replace(quantizer, encoding=Uniform(bits=wider.bits, signed=wider.signed, zero_point=quantizer.zero_point))


def multi_threshold_node(importer: Importer, node: Node) -> None:
    """MultiThreshold on a signal; thresholds [C or 1, T]."""
    signal = importer.signal(node)
    values = _needed(importer, node, 1)
    if values.ndim != 2 or not values.shape[1] or values.shape[1] >= 1 << MOST_BITS or np.isnan(values).any():
        raise Misfit(f"has thresholds of shape {list(values.shape)}, where [C, T] is needed")
    scale = Fraction(float(np.float32(node.attributes.get("out_scale", 1.0))))
    bias = Fraction(float(np.float32(node.attributes.get("out_bias", 0.0))))
    if not scale:
        raise Misfit("has an output scale of 0")
    layout = node.attributes.get("data_layout") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(signal.axes.rank, "NC")
    axis = layout.index("C") if "C" in layout else 1
    if len(layout) != signal.axes.rank and layout not in ("NC",):
        raise Misfit(f"has layout {layout} on {signal.axes.rank} axes")
    values = np.sort(values.astype(np.float32), axis=1)
    if axis >= signal.axes.rank:
        raise Misfit(f"has layout {layout} on {signal.axes.rank} axes")
    tail = (1,) * (signal.axes.rank - axis - 1)
    steps = tuple(signal.axes.parameter(values[:, n].reshape(-1, *tail)) for n in range(values.shape[1]))
    levels = values.shape[1]
    encoding: Encoding
    point = -bias / scale
    if levels == 1 and 2 * bias == -scale:
        encoding, unit, offset = Binary(), scale / 2, Fraction(0)
    elif point.denominator == 1 and 0 <= point <= levels:
        encoding, unit, offset = uniform_between(-int(point), levels - int(point)), scale, Fraction(0)
    else:
        encoding, unit, offset = uniform_between(0, levels), scale, bias
    if levels != encoding.code_max - encoding.code_min:
        # Codes that are never given.
        start = -int(point) if point.denominator == 1 and 0 <= point <= levels else 0
        never = Parameter.scalar(float(np.finfo(np.float32).max))
        always = Parameter.scalar(float(np.finfo(np.float32).min))
        below = start - encoding.code_min
        steps = (*(always for _ in range(below)), *steps)
        steps = (*steps, *(never for _ in range(encoding.code_max - encoding.code_min - len(steps))))
    quantizer = MultiThreshold(steps=steps, encoding=encoding, unit=(unit,), offset=offset)
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def float_quant_node(importer: Importer, node: Node) -> None:
    """FloatQuant without mantissa bits on a signal."""
    signal = importer.signal(node)
    scale, least, greatest, shift, encoding = _powers(importer, node)
    parameter = _scale(importer, node, signal.axes, scale)
    unit = tuple(each / Fraction(2) ** shift for each in _units(importer, parameter))
    quantizer = PowerQuant(
        scale=parameter,
        encoding=encoding,
        unit=unit,
        least=least,
        greatest=greatest,
        rounding=_rounding(node, "ROUND"),
        shift=shift,
    )
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def _powers(importer: Importer, node: Node) -> tuple[NDArray[Any], int, Fraction, int, PowerOfTwo]:
    """Return scale, least exponent, greatest value, shift to integers, and the encoding of the integers."""
    scale, exponent, mantissa, bias, most = (_needed(importer, node, place) for place in (1, 2, 3, 4, 5))
    if _integer(mantissa, "mantissa bits"):
        raise Misfit(f"has {_integer(mantissa, 'mantissa bits')} mantissa bits, where 0 is needed")
    if not _flag(node, "saturation", 1):
        raise Misfit("does not saturate")
    width, shift = _integer(exponent, "exponent bits"), _integer(bias, "exponent bias")
    if not 1 <= width <= 6:
        raise Misfit(f"has {width} exponent bits, where 1 to 6 are needed")
    least = 1 - shift
    greatest = min(Fraction(2) ** ((1 << width) - 1 - shift), Fraction(float(np.asarray(most).reshape(-1)[0])))
    top = least
    while Fraction(2) ** (top + 1) <= greatest:
        top += 1
    if Fraction(2) ** top != greatest:
        raise Misfit(f"saturates at {float(greatest):g}, which is no power of two")
    steps = top - least
    bits = (steps + 1).bit_length() + 1
    if steps > 40 or bits > 6:
        raise Misfit(f"spans {steps + 1} powers of two, where 31 is the most")
    return scale, least, greatest, -least, PowerOfTwo(bits=bits, signed=True, e_min=0, e_max=steps)


# On constants.


def constant_quant(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """Quant and IntQuant on weights."""
    data, scale, zero_point, bits = _four(inputs)
    point, width = _integer(zero_point, "zero point"), _integer(bits, "bits")
    signed, narrow = _flag(node, "signed", 1), _flag(node, "narrow", 1)
    _check_scale(scale)
    y = data / scale + np.float32(point)
    encoding: Encoding | None
    if not 1 <= width <= 32:
        raise Misfit(f"has {width} bits, where 1 to {MOST_BITS} are needed")
    if width == 1 and signed:
        integers, encoding = np.where(y >= 0, 1, -1), Binary()
    else:
        low, high = int_limits(width, signed, narrow)
        integers = FLOATS[_rounding(node, "ROUND")](np.clip(y, np.float32(low), np.float32(high))).astype(np.int64)
        encoding = Uniform(bits=width, signed=bool(signed), zero_point=point) if width <= MOST_BITS else None
    values = integers.astype(np.int64) - point
    return Constant((values.astype(np.float32) * scale).astype(np.float32), Grid(values, scale, encoding))


def constant_bipolar(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """BipolarQuant on weights."""
    arrays = [each.data for each in inputs if each is not None]
    if len(arrays) != 2:
        raise Misfit(f"has {len(arrays)} inputs, where 2 are needed")
    data, scale = arrays[0], arrays[1].astype(np.float32)
    _check_scale(scale)
    values = np.where(data >= 0, 1, -1).astype(np.int64)
    return Constant(values.astype(np.float32) * scale, Grid(values, scale, Binary()))


def constant_float_quant(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """FloatQuant without mantissa bits on weights."""
    scale, least, greatest, shift, encoding = _powers(importer, node)
    assert inputs[0] is not None
    _check_scale(scale)
    quantizer = PowerQuant(
        scale=Parameter.scalar(1.0),
        encoding=encoding,
        unit=(Fraction(1),),
        least=least,
        greatest=greatest,
        rounding=_rounding(node, "ROUND"),
        shift=shift,
    )
    scaled = (inputs[0].data / scale).astype(np.float32)
    values = encoding.decode(quantizer.codes(scaled, (np.ones(1, np.float32),)))
    unit = (scale * np.float32(2.0**-shift)).astype(np.float32)
    return Constant((values * unit).astype(np.float32), Grid(values, unit, encoding))


def constant_dequantize(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """DequantizeLinear on weights."""
    arrays = [None if each is None else each.data for each in inputs]
    if arrays[0] is None or len(arrays) < 2 or arrays[1] is None:
        raise Misfit("has no scale")
    data = arrays[0].astype(np.int64)
    scale, point = linear_parameters(node, data.shape, arrays[1], arrays[2] if len(arrays) > 2 else None)
    values = data - point
    kind = arrays[0].dtype
    bits = inputs[0].bits if inputs[0] is not None and inputs[0].bits else {1: 8, 2: 16}.get(kind.itemsize)
    same = len(set(point.reshape(-1).tolist())) == 1
    encoding = (
        Uniform(bits=bits, signed=kind.kind == "i", zero_point=int(point.reshape(-1)[0])) if bits and same else None
    )
    return Constant((values.astype(np.float32) * scale).astype(np.float32), Grid(values, scale, encoding))


def constant_quantize(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """QuantizeLinear on weights, in floats as the executor does."""
    arrays = [None if each is None else each.data for each in inputs]
    if arrays[0] is None or len(arrays) < 2 or arrays[1] is None:
        raise Misfit("has no scale")
    low, high, signed, bits = linear_range(node, inputs[2] if len(inputs) > 2 else None)
    scale, point = linear_parameters(node, arrays[0].shape, arrays[1], arrays[2] if len(arrays) > 2 else None)
    codes = np.clip(np.round(arrays[0] / scale) + point, low, high)
    kind = np.dtype(f"{'int' if signed else 'uint'}{8 if high < 256 else 16}")
    return Constant(codes.astype(kind), bits=bits if bits < 8 else None)


# QuantizeLinear and DequantizeLinear.


def linear_range(node: Node, zero_point: Constant | None) -> tuple[int, int, bool, int]:
    """Return the least and the greatest code, whether signed, and the bits, of a QuantizeLinear node."""
    numbers = {2: (8, False), 3: (8, True), 4: (16, False), 5: (16, True), 21: (4, False), 22: (4, True)}
    numbers |= {25: (2, False), 26: (2, True)}
    wanted = node.attributes.get("output_dtype", 0)
    if wanted:
        if wanted not in numbers:
            raise Misfit(f"quantizes to element type {wanted}, where integers of up to 16 bits are needed")
        bits, signed = numbers[wanted]
    elif zero_point is None:
        bits, signed = 8, False
    else:
        bits = zero_point.bits or zero_point.data.dtype.itemsize * 8
        signed = zero_point.data.dtype.kind == "i"
    if bits > MOST_BITS:
        raise Misfit(f"quantizes to {bits} bits, where {MOST_BITS} is the most")
    low, high = int_limits(bits, int(signed), 0)
    return low, high, signed, bits


def linear_parameters(
    node: Node, shape: tuple[int, ...], scale: NDArray[Any], zero_point: NDArray[Any] | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scale and zero point as they broadcast against a shape: per tensor, along an axis, or in blocks."""
    scale = scale.astype(np.float32)
    _check_scale(scale)
    point = np.zeros(scale.shape, np.int64) if zero_point is None else zero_point.astype(np.int64)
    if scale.size == 1:
        return scale.reshape(()), np.asarray(point.reshape(-1)[0])
    axis = node.attributes.get("axis", 1) % len(shape)
    block = node.attributes.get("block_size", 0)
    if block:
        if scale.ndim != len(shape) or point.shape != scale.shape:
            raise Misfit(f"has blocks with scales of shape {list(scale.shape)} for {list(shape)}")
        cut = tuple(slice(0, size) for size in shape)
        return np.repeat(scale, block, axis)[cut], np.repeat(point, block, axis)[cut]
    if scale.ndim != 1 or len(scale) != shape[axis] or point.size not in (1, len(scale)):
        raise Misfit(f"has {scale.size} scales along axis {axis} of {list(shape)}")
    tail = (1,) * (len(shape) - axis - 1)
    return scale.reshape(-1, *tail), np.broadcast_to(point.reshape(-1), scale.shape).reshape(-1, *tail)


def quantize_linear_node(importer: Importer, node: Node) -> None:
    """QuantizeLinear on a signal: the integers themselves."""
    signal = importer.signal(node)
    scale, zero_point = _needed(importer, node, 1), importer.array(node, 2)
    low, high, signed, bits = linear_range(node, importer.constant(node, 2))
    scales, points = linear_parameters(node, signal.axes.shape, scale, zero_point)
    point = _integer(points, "zero point")
    parameter = signal.axes.parameter(scales)
    quantizer = IntQuant(
        scale=parameter,
        encoding=Uniform(bits=bits, signed=signed, zero_point=point),
        unit=(Fraction(1),),
        offset=Fraction(point),
        low=low,
        high=high,
        zero_point=point,
        rounding="ROUND",
        late=True,
    )
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def decomposed_node(importer: Importer, node: Node) -> None:
    """torch's quantize_per_tensor: multiplies by the reciprocal of the scale, where ONNX divides."""
    signal = importer.signal(node)
    low, high, point = (int(node.attributes[name]) for name in ("low", "high", "zero_point"))
    scale = float(node.attributes["scale"])
    if not (low < high and 0 < scale < float("inf")):
        raise Misfit(f"has a scale of {scale} and integers from {low} to {high}")
    whole = uniform_between(low, high)
    if whole.bits > MOST_BITS:
        raise Misfit(f"quantizes to {whole.bits} bits, where {MOST_BITS} is the most")
    quantizer = IntQuant(
        scale=Parameter.scalar(1.0),
        encoding=Uniform(bits=whole.bits, signed=whole.signed, zero_point=point),
        unit=(Fraction(1),),
        offset=Fraction(point),
        low=low,
        high=high,
        zero_point=point,
        rounding="ROUND",
        late=True,
    )
    scaled = signal.then(Scale(Parameter.scalar(1.0 / scale)), str(node))
    importer.set(node, quantize(importer, scaled, quantizer, str(node)))


def dequantize_linear_node(importer: Importer, node: Node) -> None:
    """DequantizeLinear on a signal: (code - zero point) * scale."""
    signal = importer.signal(node)
    scales, points = linear_parameters(node, signal.axes.shape, _needed(importer, node, 1), importer.array(node, 2))
    if points.any():
        signal = signal.then(Shift(signal.axes.parameter(-points.astype(np.float32))), str(node))
    importer.set(node, signal.then(Scale(signal.axes.parameter(scales)), str(node)))


# What nodes say.


def _needed(importer: Importer, node: Node, place: int) -> NDArray[Any]:
    array = importer.array(node, place)
    if array is None:
        raise Misfit(f"has no input {place}")
    return array


def _four(inputs: list[Constant | None]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    arrays = [each.data for each in inputs if each is not None]
    if len(arrays) != 4:
        raise Misfit(f"has {len(arrays)} inputs, where 4 are needed")
    return arrays[0].astype(np.float32), arrays[1].astype(np.float32), arrays[2], arrays[3]


def _check_scale(scale: NDArray[Any]) -> None:
    if not scale.size or not np.isfinite(scale).all() or not (scale > 0).all():
        raise Misfit("has a scale that is not positive")


def _scale(importer: Importer, node: Node, axes: Axes, scale: NDArray[Any]) -> Parameter:
    _check_scale(scale)
    return axes.parameter(scale.astype(np.float32))


def _units(importer: Importer, parameter: Parameter) -> Numbers:
    if not parameter.atoms:
        return (Fraction(float(parameter.values)),)
    values = parameter.channels(importer.names, parameter.values.size)
    return tuple(Fraction(float(each)) for each in values)


def _integer(array: NDArray[Any], what: str) -> int:
    flat = np.asarray(array).reshape(-1)
    if not flat.size or not np.isfinite(flat.astype(np.float64)).all() or np.any(flat != flat[0]):
        raise Misfit(f"has a {what} that differs within the tensor")
    if float(flat[0]) != int(flat[0]) or abs(int(flat[0])) >= 1 << 31:
        raise Misfit(f"has a {what} of {flat[0]}, where an integer is needed")
    return int(flat[0])


def _width(bits: NDArray[Any]) -> int:
    width = _integer(bits, "bit width")
    if not 1 <= width <= MOST_BITS:
        raise Misfit(f"has {width} bits, where 1 to {MOST_BITS} are needed")
    return width


def _flag(node: Node, name: str, default: int) -> int:
    value = node.attributes.get(name, default)
    if value not in (0, 1):
        raise Misfit(f"has {name} = {value!r}, where 0 or 1 is needed")
    return int(value)


def _rounding(node: Node, default: str) -> str:
    mode = str(node.attributes.get("rounding_mode", default)).upper()
    if mode not in FLOATS:
        raise Misfit(f"has rounding mode {mode!r}, where one of {', '.join(FLOATS)} is needed")
    return mode
