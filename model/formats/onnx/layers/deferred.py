"""Pools and rearrangements of sums that wait until a quantizer has made codes of them.

A max pool compares what the file has there: numbers that functions before it made of sums, and of which functions
after it make codes. Where those after it fall, the greatest number has the least code: codes are mirrored, pooled, and
mirrored back.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.layers.weights import encoding_for
from rowloom.model.formats.onnx.signal import Carrier, Signal
from rowloom.model.layers import Add, Conv2d, Layer, Linear, MaxPool2d
from rowloom.model.post import Thresholds

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

Mask = NDArray[np.bool_]

MOST_TABLE_BITS = 18
"""Of codes that a table is made for."""


def every_code(encoding: Encoding) -> NDArray[np.int64]:
    """Return all codes in ascending order; Misfit if they are too many for a table."""
    if encoding.bits > MOST_TABLE_BITS:
        raise Misfit(f"needs a table of {encoding.bits}-bit codes, where {MOST_TABLE_BITS} bits is the most")
    return encoding.every_code


def directions(importer: "Importer", signal: Signal) -> NDArray[np.int64]:
    """Return, by the carrier's channels, 1 if greater integers stand for greater numbers, -1 if for lesser ones."""
    carrier = importer.quantized(signal)
    return _after(importer, signal) * np.resize([1 if unit >= 0 else -1 for unit in carrier.unit], carrier.channels)


def mirrored_first(importer: "Importer", signal: Signal) -> Mask:
    """Return which of the carrier's channels must be mirrored before the first max pool."""
    assert signal.carrier is not None
    masks = _masks(importer, signal)
    return masks[0] if masks else np.zeros(signal.carrier.channels, bool)


def mirrored(thresholds: Thresholds, mask: Mask) -> Thresholds:
    """Return thresholds of codes that are mirrored where ``mask`` is set: code_max + code_min - c in the place of c.

    A code counts the thresholds t with d s >= t, its mirror image those with d s < t, which is -d s >= 1 - t.
    """
    values = np.where(mask[:, None], 1 - thresholds.values[:, ::-1], thresholds.values)
    return Thresholds(values=values, direction=np.where(mask, -thresholds.direction, thresholds.direction))


def append_deferred(importer: "Importer", signal: Signal, encoding: Encoding, scale: float | None, tensor: str) -> str:
    """Append what was deferred until there were codes, in ``tensor``, mirrored as it takes; return the last tensor."""
    carrier = signal.carrier
    assert carrier is not None
    masks = iter(_masks(importer, signal))
    current = mirrored_first(importer, signal)
    before = None
    for each in carrier.deferred:
        if isinstance(each.layer, MaxPool2d):
            wanted = next(masks)
            tensor = _mirror(importer, tensor, _moved(wanted ^ current, before), encoding, scale)
            current = wanted
        layer = replace(each.layer, input=tensor)
        tensor = importer.builder.add_shared(layer, encoding, scale)
        before = each.lift
    return _mirror(importer, tensor, _moved(current, before), encoding, scale)


def append_sums(importer: "Importer", carrier: Carrier, encoding: Encoding, scale: float | None, tensor: str) -> str:
    """Append what was deferred, of sums as they are, in ``tensor``; return the last tensor."""
    for each in carrier.deferred:
        layer = replace(each.layer, input=tensor)
        tensor = importer.builder.add_shared(layer, encoding, scale)
    return tensor


def rising_sums(importer: "Importer", signal: Signal) -> Signal:
    """Return a signal whose sums rise with what max pools compare, so that the sums themselves can be compared.

    Weights of filters whose sums fall change their signs.
    """
    carrier = signal.carrier
    assert carrier is not None
    masks = []
    for each in carrier.deferred:
        if isinstance(each.layer, MaxPool2d):
            before = replace(signal, chain=signal.chain[: each.done])
            masks.append(directions(importer, before) < 0)
    if not any(mask.any() for mask in masks):
        return signal
    mask, layer = masks[0], carrier.layer
    if not isinstance(layer, Conv2d | Linear) or any((other != mask).any() for other in masks):
        raise Misfit("compares sums of which some rise and some fall, where a quantizer is needed before")
    values = layer.weight_encoding.decode(layer.weights)
    values = np.where(mask.reshape(-1, *(1,) * (values.ndim - 1)), -values, values)
    given = encoding_for(values, layer.weight_encoding)
    units = tuple(carrier.unit[m % len(carrier.unit)] * (-1 if mask[m] else 1) for m in range(len(mask)))
    name = f"{layer.name}_turned"
    turned = replace(layer, name=name, output=name, weights=given.encode(values), weight_encoding=given)
    summed = importer.summed(turned, units, carrier.offset)
    return replace(signal, carrier=replace(summed, deferred=carrier.deferred, lift=carrier.lift))


def _masks(importer: "Importer", signal: Signal) -> list[Mask]:
    """Return, for every deferred max pool, in which channels what comes after it falls."""
    carrier = signal.carrier
    assert carrier is not None
    masks = []
    for each in carrier.deferred:
        if isinstance(each.layer, MaxPool2d):
            after = replace(signal, chain=signal.chain[each.done :])
            masks.append(_after(importer, after) < 0)
    return masks


def _after(importer: "Importer", signal: Signal) -> NDArray[np.int64]:
    """Return, by the carrier's channels, -1 where a chain falls, else 1."""
    assert signal.carrier is not None
    result = np.ones(signal.carrier.channels, np.int64)
    for function in signal.chain:
        result = result * function.direction(signal.columns(function.parameters, importer.names))
    return result


def _moved(mask: Mask, lift: NDArray[np.int64] | None) -> Mask:
    """Return a mask by the channels that those of a carrier are moved to."""
    if lift is None:
        return mask
    result = np.zeros(int(lift.max()) + 1, bool)
    result[lift[mask]] = True
    if (result[lift] != mask).any():
        raise Misfit("compares what was moved from channels of which some rise and some fall")
    return result


def _mirror(importer: "Importer", tensor: str, mask: Mask, encoding: Encoding, scale: float | None) -> str:
    """Append the layer that mirrors the codes of some channels, if there are any."""
    if not mask.any():
        return tensor
    codes = every_code(encoding)
    values = encoding.decode(codes)
    post = Thresholds.of_codes(values, np.where(mask[:, None], codes[::-1], codes), encoding)
    name = importer.layer_name("mirror")
    layer: Layer = Add(name=name, inputs=(tensor,), output=name, tables=(values,), post=post)
    importer.builder.add(layer, encoding, scale)
    return name
