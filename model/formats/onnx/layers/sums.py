"""Sums that no quantizer has ended, stored as they are: outputs, and codes of the next layer."""

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.layers.deferred import append_sums, rising_sums
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.signal import Carrier, Numbers, Signal, shortest
from rowloom.model.layers import SummingLayer
from rowloom.model.post import Thresholds

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

CODE_BITS = 8
"""Widest codes between layers of the accelerator: sums of no more bits are told as thresholds, one for each sum."""


def stored_sums(importer: "Importer", signal: Signal, most: int | None = None) -> Signal:
    """Return a signal with its sums as codes of the network, if it carries sums.

    Parameters
    ----------
    most : int or None
        Widest codes that a layer after it takes; None if it is an output, or for any width.

    Raises
    ------
    Misfit
        If the sums are wider.
    """
    if signal.carrier is None or signal.carrier.layer is None:
        return signal
    signal = rising_sums(importer, signal)
    carrier = importer.quantized(signal)
    if carrier.lift is not None:
        signal = _folded(importer, signal)
        carrier = importer.quantized(signal)
    if most is not None:
        carrier = _with_bias(carrier, most)
    encoding = uniform_between(min(carrier.lows), max(carrier.highs))
    if most is not None and encoding.bits > most:
        raise Misfit(
            f"takes sums of {encoding.bits} bits that no quantizer has ended, where {most} bits or fewer, "
            "or a quantizer between, is needed"
        )
    layer = carrier.layer
    assert layer is not None
    if most is not None and encoding.bits <= CODE_BITS:
        layer = replace(layer, post=Thresholds.ranks(encoding.every_code, carrier.channels))
    scale = importer.scale_of(carrier.unit)
    tensor = importer.builder.add_shared(layer, encoding, scale)
    importer.builder.note(signal.nodes, tensor, f"{layer.op}, sums as they are")
    tensor = append_sums(importer, carrier, encoding, scale, tensor)
    unit, offset = lifted(carrier.unit, carrier.lift), lifted(carrier.offset, carrier.lift)
    return replace(signal, carrier=importer.stored(tensor, unit, offset), nodes=())


def lifted(numbers: Numbers, lift: NDArray[np.int64] | None) -> Numbers:
    """Return numbers by the channels that others are moved to; Misfit if they disagree."""
    if lift is None or len(numbers) == 1:
        return numbers
    result: dict[int, Fraction] = {}
    for channel, target in enumerate(lift.tolist()):
        if result.setdefault(target, numbers[channel]) != numbers[channel]:
            raise Misfit("moves channels of different scales into one")
    return shortest([result[target] for target in sorted(result)])


def _folded(importer: "Importer", signal: Signal) -> Signal:
    """Return a signal whose chain, told by the channels before they moved, is part of what its sums stand for."""
    carrier = importer.quantized(signal)
    affine = signal.affine(importer.names)
    if affine is not None:
        return replace(signal, carrier=replace(carrier, unit=affine[0], offset=affine[1]), chain=())
    if any(parameter.atoms for function in signal.chain for parameter in function.parameters):
        raise Misfit("moves channels after an activation that differs by channel, where a quantizer is needed between")
    return signal


def _with_bias(carrier: Carrier, most: int) -> Carrier:
    """Return the carrier with an offset that is a multiple of its unit added by the layer, if that fits."""
    layer = carrier.layer
    if not any(carrier.offset) or not isinstance(layer, SummingLayer) or layer.bias is not None:
        return carrier
    count = carrier.channels
    numbers = [carrier.offset[m % len(carrier.offset)] / carrier.unit[m % len(carrier.unit)] for m in range(count)]
    if any(number.denominator != 1 for number in numbers):
        return carrier
    bias = [int(number) for number in numbers]
    lows = tuple(carrier.lows[m % len(carrier.lows)] + bias[m] for m in range(count))
    highs = tuple(carrier.highs[m % len(carrier.highs)] + bias[m] for m in range(count))
    if uniform_between(min(lows), max(highs)).bits > most:
        return carrier
    layer = replace(layer, bias=np.array(bias, np.int64))
    return replace(carrier, layer=layer, lows=lows, highs=highs, offset=(Fraction(0),))
