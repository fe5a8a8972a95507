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
from rowloom.model.formats.onnx.signal import Carrier, Signal
from rowloom.model.formats.onnx.weights import encoding_for
from rowloom.model.layers import Add, Conv2d, Layer, Linear, MaxPool2d
from rowloom.model.post import Thresholds

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

Mask = NDArray[np.bool_]

MOST_TABLE_BITS = 18
"""Of codes that a table is made for."""


def every_code(encoding: Encoding) -> NDArray[np.int64]:
    """Return all codes in ascending order."""
    if encoding.bits > MOST_TABLE_BITS:
        raise Misfit(f"needs a table of {encoding.bits}-bit codes, where {MOST_TABLE_BITS} bits is the most")
    return np.arange(encoding.code_min, encoding.code_max + 1, dtype=np.int64)


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


def append_deferred(importer: "Importer", signal: Signal, encoding: Encoding, scale: float | None) -> str:
    """Append what was deferred until codes were there, mirrored as it takes; return the last tensor."""
    carrier = signal.carrier
    assert carrier is not None
    masks = iter(_masks(importer, signal))
    current = mirrored_first(importer, signal)
    tensor, before = carrier.tensor, None
    for each in carrier.deferred:
        if isinstance(each.layer, MaxPool2d):
            wanted = next(masks)
            tensor = _mirror(importer, tensor, _moved(wanted ^ current, before), encoding, scale)
            current = wanted
        layer = replace(each.layer, input=tensor)  # type: ignore[call-arg]
        tensor = importer.builder.add(layer, encoding, scale).name
        before = each.lift
    return _mirror(importer, tensor, _moved(current, before), encoding, scale)


def append_sums(importer: "Importer", carrier: Carrier, encoding: Encoding, scale: float | None) -> str:
    """Append what was deferred, of sums as they are; return the last tensor."""
    tensor = carrier.tensor
    for each in carrier.deferred:
        layer = replace(each.layer, input=tensor)  # type: ignore[call-arg]
        tensor = importer.builder.add(layer, encoding, scale).name
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
            masks.append(_falling(importer, before) ^ np.array([unit < 0 for unit in carrier.unit]))
    if not any(mask.any() for mask in masks):
        return signal
    mask = np.broadcast_to(masks[0], carrier.channels)
    layer = carrier.layer
    if not isinstance(layer, Conv2d | Linear) or any((other != mask).any() for other in masks):
        raise Misfit("compares sums of which some rise and some fall, where a quantizer is needed before")
    values = layer.weight_encoding.decode(layer.weights)
    values = np.where(mask.reshape(-1, *(1,) * (values.ndim - 1)), -values, values)
    given = encoding_for(values, layer.weight_encoding)
    units = tuple(carrier.unit[m % len(carrier.unit)] * (-1 if mask[m] else 1) for m in range(len(mask)))
    summed = importer.summed(replace(layer, weights=given.encode(values), weight_encoding=given), units, carrier.offset)
    return replace(signal, carrier=replace(summed, deferred=carrier.deferred, lift=carrier.lift))


def _masks(importer: "Importer", signal: Signal) -> list[Mask]:
    """Return, for every deferred max pool, in which channels what comes after it falls."""
    carrier = signal.carrier
    assert carrier is not None
    masks = []
    for each in carrier.deferred:
        if isinstance(each.layer, MaxPool2d):
            after = replace(signal, chain=signal.chain[each.done :])
            masks.append(np.broadcast_to(_falling(importer, after), carrier.channels))
    return masks


def _falling(importer: "Importer", signal: Signal) -> Mask:
    """Return in which channels a chain falls."""
    falls = np.zeros(1, bool)
    for function in signal.chain:
        falls = falls ^ function.falls(signal.columns(function.parameters, importer.names))
    return falls


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
    values = encoding.decode(every_code(encoding))
    post = Thresholds(
        values=np.where(mask[:, None], -values[:-1][::-1], values[1:]),
        direction=np.where(mask, -1, 1).astype(np.int8),
    )
    name = importer.layer_name("mirror")
    layer: Layer = Add(name=name, inputs=(tensor,), output=name, tables=(values,), post=post)
    importer.builder.add(layer, encoding, scale)
    return name
