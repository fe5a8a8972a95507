"""Nodes of QONNX that quantize, as Brevitas, QKeras and FINN write them; and Sign."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bisection import first_reached
from rowloom.model.encodings import Binary, Encoding, Ternary, Uniform
from rowloom.model.formats.onnx.axes import Axes, Misfit, Parameter
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.emit import quantize
from rowloom.model.formats.onnx.nodes.powers import powers_of
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
    IntQuant,
    MultiThreshold,
    PowerQuant,
    Quantizer,
    SignQuant,
    uniform_between,
)
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal


def quant_node(importer: Importer, node: Node) -> None:
    """Quant and IntQuant on a signal."""
    signal = importer.signal(node)
    scale, zero_point, bits = (needed(importer, node, place) for place in (1, 2, 3))
    quantizer = int_quantizer(importer, node, signal.axes, scale, zero_point, bits)
    importer.set(node, quantize(importer, signal, quantizer, str(node)))


def int_quantizer(
    importer: Importer, node: Node, axes: Axes, scale: NDArray[Any], zero_point: NDArray[Any], bits: NDArray[Any]
) -> Quantizer:
    """Return the quantizer of a Quant node on an activation."""
    parameter = scale_of(importer, node, axes, scale)
    point = integer_of(zero_point, "zero point")
    width = width_of(bits)
    signed, narrow = flag_of(node, "signed", 1), flag_of(node, "narrow", 1)
    unit = units_of(importer, parameter)
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
        rounding=rounding_of(node, "ROUND"),
    )


def bipolar_node(importer: Importer, node: Node) -> None:
    """BipolarQuant on a signal."""
    signal = importer.signal(node)
    parameter = scale_of(importer, node, signal.axes, needed(importer, node, 1))
    quantizer = SignQuant(encoding=Binary(), unit=units_of(importer, parameter))
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
    low, high = np.broadcast_to(low, count), np.broadcast_to(high, count)

    def at(k: NDArray[np.int64]) -> NDArray[Any]:
        with np.errstate(all="ignore"):
            y = signal.evaluate(carrier.start(k[None], np.float32), importer.names)
        return np.broadcast_to(y, (1, count))[0]

    sign = np.where(at(high) >= at(low), 1, -1)
    first = first_reached(lambda k: sign * at(k) >= 0, low, high)
    return bool(np.any((first <= high) & (at(np.minimum(first, high)) == 0)))


OUTPUT = (("out_scale", 1.0), ("out_bias", 0.0))
"""What a MultiThreshold makes of its counts, by default."""


def multi_threshold_node(importer: Importer, node: Node) -> None:
    """MultiThreshold on a signal; thresholds [C or 1, T]."""
    signal = importer.signal(node)
    values = needed(importer, node, 1)
    if values.ndim != 2 or not values.shape[1] or values.shape[1] >= 1 << MOST_BITS or np.isnan(values).any():
        raise Misfit(f"has thresholds of shape {list(values.shape)}, where [C, T] is needed")
    numbers = [float(np.float32(node.attributes.get(name, default))) for name, default in OUTPUT]
    if not np.isfinite(numbers).all() or not numbers[0]:
        raise Misfit("has an output scale of 0, or numbers that are not finite")
    scale, bias = map(Fraction, numbers)
    layout = node.attributes.get("data_layout") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(signal.axes.rank, "NC")
    axis = layout.index("C") if "C" in layout else 1
    if len(layout) != signal.axes.rank and layout not in ("NC",):
        raise Misfit(f"has layout {layout} on {signal.axes.rank} axes")
    ends = np.finfo(np.float32)
    values = np.sort(np.clip(values.astype(np.float32), ends.min, ends.max), axis=1)
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
    scale, least, greatest, shift, encoding = powers_of(importer, node)
    parameter = scale_of(importer, node, signal.axes, scale)
    unit = tuple(each / Fraction(2) ** shift for each in units_of(importer, parameter))
    quantizer = PowerQuant(
        scale=parameter,
        encoding=encoding,
        unit=unit,
        least=least,
        greatest=greatest,
        rounding=rounding_of(node, "ROUND"),
        shift=shift,
    )
    importer.set(node, quantize(importer, signal, quantizer, str(node)))
