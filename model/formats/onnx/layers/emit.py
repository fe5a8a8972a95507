"""Ending a chain of functions in a quantizer: sums become codes by thresholds, codes become codes by tables."""

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bisection import find_thresholds
from rowloom.model.encodings import Binary, Encoding, PowerOfTwo, Ternary, Uniform
from rowloom.model.formats.floats import float_thresholds
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.layers.deferred import (
    append_deferred,
    append_sums,
    every_code,
    mirrored,
    mirrored_first,
)
from rowloom.model.formats.onnx.layers.ties import count_table_ties, find_ties
from rowloom.model.formats.onnx.numbers.quantizers import Quantizer
from rowloom.model.formats.onnx.signal import Carrier, InputSpec, Signal
from rowloom.model.layers import Add

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer


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
    stored = importer.stored(tensor, quantizer.unit, (quantizer.offset,))
    low, high = quantizer.range
    return replace(signal, carrier=replace(stored, lows=(low,), highs=(high,)), chain=(), nodes=())


def _quantized_number(number: Fraction, quantizer: Quantizer) -> Fraction:
    """Return what a quantizer makes of a number that Pad put round a map."""
    if len(quantizer.unit) > 1 or any(parameter.atoms for parameter in quantizer.parameters):
        raise Misfit("comes after Pad, whose numbers it makes differ by channel")
    columns = tuple(p.values.reshape(1).astype(np.float32) for p in quantizer.parameters)
    code = quantizer.codes(np.array([[float(number)]], np.float32), columns)
    return quantizer.unit[0] * int(quantizer.encoding.decode(code)[0, 0]) + quantizer.offset


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
    for parameter in parameters:
        importer.bind_channels(signal.axes, parameter)
    count = importer.binding.shape[2] if importer.binding.bound else 1
    signal = replace(signal, axes=importer.binding.apply(signal.axes))
    probe = replace(signal, carrier=Carrier(tensor="", unit=(), offset=(), lows=(), highs=(), channels=count))

    def codes(x: NDArray[np.float32]) -> NDArray[np.int64]:
        with np.errstate(all="ignore"):
            y = probe.evaluate(x, importer.names)
            columns = tuple(p.astype(np.float32) for p in probe.columns(quantizer.parameters, importer.names))
            return np.broadcast_to(quantizer.codes(y, columns), x.shape)

    channels = count if any(parameter.atoms for parameter in parameters) else 1
    encoding, unit = quantizer.encoding, quantizer.unit
    ends = codes(np.array([[-1], [1]], np.float32) * np.finfo(np.float32).max * np.ones((1, channels), np.float32))
    if (ends[0] >= ends[1]).all() and (ends[0] > ends[1]).any():
        # The host's codes rise: they are the mirror images of the file's.
        whole = encoding.code_min + encoding.code_max
        encoding, unit = _negative(encoding), tuple(-each for each in unit)
        thresholds = float_thresholds(importer.subject, lambda x: whole - codes(x), encoding, channels)
    else:
        thresholds = float_thresholds(importer.subject, codes, encoding, channels)
    importer.set_input(InputSpec(encoding=encoding, unit=unit, thresholds=thresholds), node)
    importer.builder.note((*signal.nodes, node), None, "on the host: floats to codes")
    return replace(signal, carrier=importer.stored(importer.input_name, unit, (quantizer.offset,)), chain=(), nodes=())


def _negative(encoding: Encoding) -> Encoding:
    """Return the encoding in which code_min + code_max - c stands for the negative of what c stands for."""
    if isinstance(encoding, Uniform):
        return replace(encoding, zero_point=encoding.code_min + encoding.code_max - encoding.zero_point)
    if isinstance(encoding, Binary | Ternary | PowerOfTwo):
        return encoding
    raise Misfit(f"falls where the input rises, in codes of {encoding}")


def _finish_codes(importer: "Importer", signal: Signal, quantizer: Quantizer, node: str) -> str:
    """Append what turns codes into codes: nothing, a table, or thresholds where channels differ."""
    carrier = signal.carrier
    assert carrier is not None
    source = importer.encoding(carrier.tensor)
    every = every_code(source)
    values = source.decode(every)
    importer.map_shape(signal)
    signal = importer.refreshed(signal)
    codes = _codes(importer, signal, quantizer, values[:, None])
    importer.builder.float_ties += count_table_ties(signal, quantizer, values[:, None], importer.names)
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
    if _rises_and_falls(importer, signal):
        tabled = _tabled(importer, signal, quantizer)
        tensor = importer.builder.add_shared(tabled, quantizer.encoding, importer.scale_of(quantizer.unit))
        importer.builder.note((*signal.nodes, node), tensor, "a table of codes")
        return append_sums(importer, carrier, quantizer.encoding, importer.scale_of(quantizer.unit), tensor)
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
    ties = int(find_ties(signal, quantizer, thresholds, importer.names).sum())
    importer.builder.float_ties += ties
    post = mirrored(thresholds, mirrored_first(importer, signal))
    scale = importer.scale_of(quantizer.unit)
    tensor = importer.builder.add_shared(replace(carrier.layer, post=post), encoding, scale)
    text = f"{carrier.layer.op} with thresholds"
    if ties:
        text += f", {ties} of them where float32 rounds"
    importer.builder.note((*signal.nodes, node), tensor, text)
    return append_deferred(importer, signal, encoding, scale, tensor)


def _rises_and_falls(importer: "Importer", signal: Signal) -> bool:
    """Whether some function of a chain does both."""
    try:
        for function in signal.chain:
            function.direction(signal.columns(function.parameters, importer.names))
    except Misfit:
        return True
    return False


def _tabled(importer: "Importer", signal: Signal, quantizer: Quantizer) -> Add:
    """Return the layer that gives codes for codes, where the carrier's layer only passes codes on.

    Raises
    ------
    Misfit
        If it does more than that.
    """
    carrier = signal.carrier
    assert carrier is not None
    layer = carrier.layer
    parameters = [p for function in signal.chain for p in function.parameters] + list(quantizer.parameters)
    alike = not any(parameter.atoms for parameter in parameters) and len(carrier.unit) == len(carrier.offset) == 1
    if not isinstance(layer, Add) or len(layer.inputs) != 1 or layer.bias is not None or not alike:
        raise Misfit("comes after a function that rises and falls, where a quantizer is needed before it")
    values = np.asarray(layer.tables[0])[:, None]
    codes = _codes(importer, signal, quantizer, values)
    importer.builder.float_ties += count_table_ties(signal, quantizer, values, importer.names)
    return replace(layer, tables=(quantizer.encoding.decode(codes[:, 0]),))
