"""QuantizeLinear and DequantizeLinear, of ONNX itself, and what torch has in their place."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding, Ternary, Uniform
from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.emit import quantize
from rowloom.model.formats.onnx.nodes.stated import MOST_BITS, check_scale, int_limits, integer_of, needed
from rowloom.model.formats.onnx.numbers.pointwise import Scale, Shift
from rowloom.model.formats.onnx.numbers.quantizers import (
    IntQuant,
    uniform_between,
)
from rowloom.model.formats.onnx.reader import Node

DECOMPOSED = "torch.quantized_decomposed"
"""Domain of torch's own quantizers, and of functions that torch computes otherwise."""

MICROSOFT = "com.microsoft"
"""Domain of onnxruntime's own operators."""

LINEAR = ("", MICROSOFT)
"""Domains of QuantizeLinear and DequantizeLinear, which mean the same in both."""


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
    check_scale(scale)
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
    scale, zero_point = needed(importer, node, 1), importer.array(node, 2)
    low, high, signed, bits = linear_range(node, importer.constant(node, 2))
    scales, points = linear_parameters(node, signal.axes.shape, scale, zero_point)
    point = integer_of(points, "zero point")
    parameter = signal.axes.parameter(scales)
    limits = _clipped(importer, node, low, high)
    encoding: Encoding = Uniform(bits=bits, signed=signed, zero_point=point)
    if limits != (low, high):
        low, high = limits
        narrow = uniform_between(low, high)
        encoding = Ternary() if (low, high, point) == (-1, 1, 0) else replace(narrow, zero_point=point)
    quantizer = _integers(parameter, encoding, low, high, point)
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def _integers(scale: Parameter, encoding: Encoding, low: int, high: int, zero_point: int) -> IntQuant:
    """Return the quantizer whose integers, zero point included, are the numbers that follow."""
    return IntQuant(
        scale=scale,
        encoding=encoding,
        unit=(Fraction(1),),
        offset=Fraction(zero_point),
        low=low,
        high=high,
        zero_point=zero_point,
        rounding="ROUND",
        late=True,
    )


def _clipped(importer: Importer, node: Node, low: int, high: int) -> tuple[int, int]:
    """Return the limits of a Clip that alone takes the node's integers: Brevitas writes fewer than 8 bits so."""
    name = node.outputs[0] if node.outputs else ""
    readers = importer.readers(name)
    if len(readers) != 1 or readers[0].kind != "Clip" or readers[0].domain or readers[0].inputs[0] != name:
        return low, high
    limits = [low, high]
    for place in range(1, min(len(readers[0].inputs), 3)):
        if readers[0].inputs[place]:
            array = importer.peeked(readers[0].inputs[place])
            if array is None or array.size != 1 or array.dtype.kind not in "iu":
                return low, high
            limits[place - 1] = int(array.reshape(-1)[0])
    least, most = max(low, limits[0]), min(high, limits[1])
    return (least, most) if least < most else (low, high)


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
    quantizer = _integers(Parameter.scalar(1.0), replace(whole, zero_point=point), low, high, point)
    scaled = signal.then(Scale(Parameter.scalar(1.0 / scale)), str(node))
    importer.set(node, quantize(importer, scaled, quantizer, str(node)))


def dequantize_linear_node(importer: Importer, node: Node) -> None:
    """DequantizeLinear on a signal: (code - zero point) * scale."""
    signal = importer.signal(node)
    scales, points = linear_parameters(node, signal.axes.shape, needed(importer, node, 1), importer.array(node, 2))
    if points.any():
        signal = signal.then(Shift(signal.axes.parameter(-points.astype(np.float32))), str(node))
    importer.set(node, signal.then(Scale(signal.axes.parameter(scales)), str(node)))


def constant_dequantize(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """DequantizeLinear on weights."""
    arrays = [None if each is None else each.data for each in inputs]
    if arrays[0] is None or len(arrays) < 2 or arrays[1] is None:
        raise Misfit("has no scale")
    data = arrays[0].astype(np.int64)
    scale, point = linear_parameters(node, data.shape, arrays[1], arrays[2] if len(arrays) > 2 else None)
    kind = arrays[0].dtype
    if kind == np.int32 and point.any():
        raise Misfit("has a zero point of 32-bit integers that is not 0")
    values = data - point
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


def constant_decomposed(importer: Importer, node: Node, inputs: list[Constant | None]) -> Constant:
    """Torch's quantize_per_tensor and quantize_per_channel on weights, in floats as torch does."""
    arrays = [None if each is None else each.data for each in inputs]
    low, high = int(node.attributes["low"]), int(node.attributes["high"])
    if arrays[0] is None:
        raise Misfit("has no input")
    scale: NDArray[Any]
    if node.kind == "Quantize":
        scale, point = np.array(node.attributes["scale"], np.float64), np.array(node.attributes["zero_point"])
    else:
        scale, point = linear_parameters(node, arrays[0].shape, *(np.asarray(each) for each in arrays[1:3]))
    check_scale(scale)
    whole = uniform_between(low, high)
    if low >= high or whole.bits > MOST_BITS:
        raise Misfit(f"quantizes to integers from {low} to {high}, where {MOST_BITS} bits is the most")
    inverse = (1.0 / scale).astype(np.float32)
    codes = np.clip(np.round(arrays[0].astype(np.float32) * inverse) + point, low, high)
    return Constant(codes.astype(f"{'int' if low < 0 else 'uint'}{8 if whole.bits <= 8 else 16}"))
