"""Ending a chain of functions in a quantizer: sums become codes by thresholds, codes become codes by tables."""

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.formats.bisection import find_thresholds
from rowloom.model.formats.floats import float_thresholds
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.quantizers import MultiThreshold, Quantizer
from rowloom.model.formats.onnx.signal import Carrier, Signal
from rowloom.model.layers import Add, Layer
from rowloom.model.post import Thresholds

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

MOST_TABLE_BITS = 18
"""Of codes that a table is made for."""

_NOISE = 2.0**-21
"""Relative distance from where a code changes within which float32 may go either way."""

_NEAR = 1e-11
"""Relative distance from where a code changes at which float64 may be wrong, so that fractions decide."""


def quantize(importer: "Importer", signal: Signal, quantizer: Quantizer, node: str) -> Signal:
    """Return the signal after a quantizer, appending the layers that it takes."""
    if any(signal.padding):
        signal = replace(signal, padded_with=_quantized_number(signal.padded_with, quantizer))
    carrier = signal.carrier
    if carrier is None:
        return _quantize_input(importer, signal, quantizer, node)
    if carrier.layer is not None:
        tensor = _finish_sums(importer, signal, quantizer, node)
    else:
        tensor = _finish_codes(importer, signal, quantizer, node)
    return replace(signal, carrier=importer.stored(tensor, quantizer.unit, (quantizer.offset,)), chain=(), nodes=())


def _quantized_number(number: Fraction, quantizer: Quantizer) -> Fraction:
    """Return what a quantizer makes of a number that Pad put round a map."""
    if len(quantizer.unit) > 1 or any(parameter.atoms for parameter in quantizer.parameters):
        raise Misfit("comes after Pad, whose numbers it makes differ by channel")
    columns = tuple(p.values.reshape(1).astype(np.float32) for p in quantizer.parameters)
    code = quantizer.codes(np.array([[float(number)]], np.float32), columns)
    return quantizer.unit[0] * int(quantizer.encoding.decode(code)[0, 0]) + quantizer.offset


def every_code(encoding: Encoding) -> NDArray[np.int64]:
    """Return all codes in ascending order."""
    if encoding.bits > MOST_TABLE_BITS:
        raise Misfit(f"needs a table of {encoding.bits}-bit codes, where {MOST_TABLE_BITS} bits is the most")
    return np.arange(encoding.code_min, encoding.code_max + 1, dtype=np.int64)


def _codes(
    importer: "Importer", signal: Signal, quantizer: Quantizer, integers: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return codes of the carrier's integers [K, M], as the file's executor computes them in float32."""
    assert signal.carrier is not None
    with np.errstate(all="ignore"):
        x = signal.evaluate(signal.carrier.start(integers, np.float32), importer.names)
        columns = tuple(p.astype(np.float32) for p in signal.columns(quantizer.parameters, importer.names))
        codes = quantizer.codes(x, columns)
    return np.broadcast_to(codes, (len(integers), max(codes.shape[1], integers.shape[1])))


def _quantize_input(importer: "Importer", signal: Signal, quantizer: Quantizer, node: str) -> Signal:
    """Let the host quantize the graph's floats."""
    parameters = [p for function in signal.chain for p in function.parameters] + list(quantizer.parameters)
    if any(parameter.atoms for parameter in parameters):
        importer.bind_default(signal.axes)
    count = importer.binding.shape[2] if importer.binding.bound else 1
    signal = replace(signal, axes=importer.binding.apply(signal.axes))
    probe = replace(signal, carrier=Carrier(tensor="", unit=(), offset=(), lows=(), highs=(), channels=count))

    def codes(x: NDArray[np.float32]) -> NDArray[np.int64]:
        with np.errstate(all="ignore"):
            y = probe.evaluate(x, importer.names)
            columns = tuple(p.astype(np.float32) for p in probe.columns(quantizer.parameters, importer.names))
            return np.broadcast_to(quantizer.codes(y, columns), x.shape)

    channels = count if any(parameter.atoms for parameter in parameters) else 1
    thresholds = float_thresholds(importer.subject, codes, quantizer.encoding, channels)
    importer.set_input(quantizer, thresholds, node)
    importer.builder.note((*signal.nodes, node), None, "on the host: floats to codes")
    return replace(
        signal,
        carrier=importer.stored(importer.input_name, quantizer.unit, (quantizer.offset,)),
        chain=(),
        nodes=(),
    )


def _finish_codes(importer: "Importer", signal: Signal, quantizer: Quantizer, node: str) -> str:
    """Append what turns codes into codes: nothing, a table, or thresholds where channels differ."""
    carrier = signal.carrier
    assert carrier is not None
    source = importer.encoding(carrier.tensor)
    every = every_code(source)
    values = source.decode(every)
    codes = _codes(importer, signal, quantizer, values[:, None])
    if codes.shape[1] == 1:
        target = quantizer.encoding.decode(codes[:, 0])
        same = quantizer.unit == carrier.unit and carrier.offset == (quantizer.offset,)
        if np.array_equal(target, values) and (same or source == quantizer.encoding):
            importer.builder.note((*signal.nodes, node), None, "keeps every value")
            return carrier.tensor
        name = importer.layer_name("table")
        layer = Add(name=name, inputs=(importer.placed(carrier.tensor),), output=name, tables=(target,))
        importer.builder.add(layer, quantizer.encoding, importer.scale_of(quantizer.unit))
        importer.builder.note((*signal.nodes, node), name, "a table of codes")
        return name
    name = importer.layer_name("rescale")
    lows, highs = [source.min] * codes.shape[1], [source.max] * codes.shape[1]
    sums = find_thresholds(node, lambda k: _codes(importer, signal, quantizer, k), quantizer.encoding, lows, highs)
    layer = Add(name=name, inputs=(importer.placed(carrier.tensor),), output=name, tables=(values,), post=sums)
    importer.builder.add(layer, quantizer.encoding, importer.scale_of(quantizer.unit))
    importer.builder.note((*signal.nodes, node), name, "thresholds")
    return name


def _finish_sums(importer: "Importer", signal: Signal, quantizer: Quantizer, node: str) -> str:
    """Append the carrier's layer with thresholds, then what was deferred."""
    carrier = signal.carrier
    assert carrier is not None
    assert carrier.layer is not None
    tabled = _tabled(importer, signal, quantizer)
    if tabled is not None:
        scale = importer.scale_of(quantizer.unit)
        tensor = importer.builder.add_shared(tabled, quantizer.encoding, scale)
        importer.builder.note((*signal.nodes, node), tensor, "a table of codes")
        return append_deferred(importer, carrier, quantizer.encoding, scale, tensor)
    lows = list(carrier.lows)
    highs = list(carrier.highs)
    encoding = quantizer.encoding
    thresholds = find_thresholds(
        f"{importer.subject}: {node}",
        lambda sums: _codes(importer, signal, quantizer, sums),
        encoding,
        lows,
        highs,
    )
    ties = _count_ties(importer, signal, quantizer, thresholds)
    importer.builder.float_ties += ties
    falling = np.zeros(carrier.channels, bool) if carrier.pooled is None else thresholds.direction * carrier.pooled < 0
    post = _turned(thresholds, falling) if falling.any() else thresholds
    scale = importer.scale_of(quantizer.unit)
    tensor = importer.builder.add_shared(replace(carrier.layer, post=post), encoding, scale)
    text = f"{carrier.layer.op} with thresholds"
    if ties:
        text += f", {ties} of them where float32 rounds"
    importer.builder.note((*signal.nodes, node), tensor, text)
    tensor = append_deferred(importer, carrier, encoding, scale, tensor)
    if not falling.any():
        return tensor
    if carrier.lift is not None:
        lifted = [set(falling[carrier.lift == channel].tolist()) for channel in range(int(carrier.lift.max()) + 1)]
        if any(len(each) > 1 for each in lifted):
            raise Misfit("moves channels that rise and channels that fall after a MaxPool into one")
        falling = np.array([each.pop() for each in lifted])
    return _turn_back(importer, tensor, falling, encoding, scale)


def _tabled(importer: "Importer", signal: Signal, quantizer: Quantizer) -> Add | None:
    """Return the layer that gives codes for codes, where the carrier's layer only passes codes on."""
    carrier = signal.carrier
    assert carrier is not None
    layer = carrier.layer
    parameters = [p for function in signal.chain for p in function.parameters] + list(quantizer.parameters)
    alike = not any(parameter.atoms for parameter in parameters) and len(carrier.unit) == len(carrier.offset) == 1
    if not isinstance(layer, Add) or len(layer.inputs) != 1 or layer.bias is not None or not alike:
        return None
    codes = _codes(importer, signal, quantizer, np.asarray(layer.tables[0])[:, None])
    return replace(layer, tables=(quantizer.encoding.decode(codes[:, 0]),))


def append_deferred(
    importer: "Importer", carrier: Carrier, encoding: Encoding, scale: float | None, tensor: str
) -> str:
    """Append what was deferred until codes are there, in ``tensor``; return the last tensor."""
    for layer in carrier.deferred:
        moved = replace(layer, input=tensor)  # type: ignore[call-arg]
        tensor = importer.builder.add_shared(moved, encoding, scale)
    return tensor


def _turned(thresholds: Thresholds, falling: NDArray[np.bool_]) -> Thresholds:
    """Return thresholds whose falling channels rise, and others fall, code c standing for code_max + code_min - c.

    A code counts the thresholds t with -sum >= t; its mirror image counts those with -sum < t, sum >= 1 - t.
    """
    values = np.where(falling[:, None], 1 - thresholds.values[:, ::-1], thresholds.values)
    return Thresholds(values=values, direction=np.where(falling, -thresholds.direction, thresholds.direction))


def _turn_back(
    importer: "Importer", tensor: str, falling: NDArray[np.bool_], encoding: Encoding, scale: float | None
) -> str:
    """Append the layer that mirrors codes of falling channels."""
    values = encoding.decode(every_code(encoding))
    post = Thresholds(
        values=np.where(falling[:, None], -values[:-1][::-1], values[1:]),
        direction=np.where(falling, -1, 1).astype(np.int8),
    )
    name = importer.layer_name("mirror")
    layer: Layer = Add(name=name, inputs=(tensor,), output=name, tables=(values,), post=post)
    importer.builder.add(layer, encoding, scale)
    return name


def _count_ties(importer: "Importer", signal: Signal, quantizer: Quantizer, thresholds: Thresholds) -> int:
    """Return how many thresholds the executor's float32 decides.

    They are elsewhere than the file's numbers, taken exactly, would have them; or a sum beside them, which float32
    cannot hold, is so near to where the code changes that the order in which the executor adds may decide.
    """
    carrier = signal.carrier
    assert carrier is not None
    direction = thresholds.direction.astype(np.int64)
    codes = np.arange(quantizer.encoding.code_min, quantizer.encoding.code_max + 1)
    low, high = np.array(carrier.lows), np.array(carrier.highs)
    columns = signal.fractions(importer.names)
    own = [[Fraction(float(v)) for v in p] for p in signal.columns(quantizer.parameters, importer.names)]
    wrong = np.zeros(thresholds.values.shape, bool)
    doubles = tuple(p.astype(np.float64) for p in signal.columns(quantizer.parameters, importer.names))
    plain = isinstance(quantizer, MultiThreshold) or all((np.frexp(np.abs(p))[0] == 0.5).all() for p in doubles)
    for back in (0, 1):
        integers = (thresholds.values - back) * direction[:, None]
        inside = (integers >= low[:, None]) & (integers <= high[:, None])
        x = np.clip(integers, low[:, None], high[:, None]).T
        with np.errstate(all="ignore"):
            y = signal.evaluate(carrier.start(x, np.float64), importer.names)
            below, above = (quantizer.codes(y * (1 + sign * _NEAR) + sign * 1e-300, doubles).T for sign in (-1, 1))
            wide = signal.evaluate(carrier.start(x, np.longdouble), importer.names)
            at = quantizer.codes(y, doubles).T
            single = signal.evaluate(carrier.start(x, np.float32), importer.names)
            left, right = (quantizer.codes(y * (1 + sign * _NOISE), doubles).T for sign in (-1, 1))
        wrong |= inside & (left != right) & (single != y).T
        wanted = np.broadcast_to(codes[1:], wrong.shape)
        # What more bits do not change was not rounded: float64 is exact there, on a tie too.
        unrounded = (wide == y).T if plain else np.False_
        reached_low = np.where(unrounded, at, below) >= wanted
        reached_high = np.where(unrounded, at, above) >= wanted
        sure = reached_low == reached_high
        wrong |= inside & sure & (reached_low != (back == 0))
        for m, n in np.argwhere(inside & ~sure):
            exact = signal.exact(carrier.exact(int(integers[m, n]), int(m)), int(m), columns)
            code = quantizer.exact(exact, tuple(p[int(m) % len(p)] for p in own))
            wrong[m, n] |= (code >= int(codes[n + 1])) != (back == 0)
    return int(wrong.sum())
