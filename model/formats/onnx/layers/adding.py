"""Sums of branches whose integers stand for multiples of different units."""

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from rowloom.model.bounds import signed_bits
from rowloom.model.encodings import MAX_BITS, Encoding
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.layers.deferred import every_code
from rowloom.model.formats.onnx.layers.weights import common_unit
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.signal import Carrier, Numbers, shortest
from rowloom.model.layers import Add, ChannelShuffle, Concat, Conv2d

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

Operand = tuple[str, Numbers, Numbers]
"""A tensor of the network, and what its integers stand for."""

TABLE_BITS = 16
"""Widest codes that are added through tables."""


def added(importer: "Importer", operands: list[Operand], signs: list[int]) -> Carrier:
    """Return the sums of operands, each times 1 or -1.

    Units that are the same in all channels make it an addition of multiples; others a convolution of each channel's
    codes, side by side, with their multipliers for weights.

    Raises
    ------
    Misfit
        If the units of some channel share none within 48 bits.
    """
    count = max(len(numbers) for _, units, offsets in operands for numbers in (units, offsets))
    units, multipliers = [], []
    for m in range(max(len(own) for _, own, _ in operands)):
        both = [own[m % len(own)] for _, own, _ in operands]
        units.append(common_unit(both) or Fraction(1))
        multipliers.append([int(each / units[-1]) * sign for each, sign in zip(both, signs, strict=True)])
    encodings = [importer.encoding(tensor) for tensor, _, _ in operands]
    for own in multipliers:
        reach = sum(max(abs(e.min), abs(e.max)) * abs(k) for e, k in zip(encodings, own, strict=True))
        if reach >= 1 << (MAX_BITS - 1):
            raise Misfit("adds integers whose scales share no unit within 48 bits")
    offset = shortest(
        [
            sum((sign * o[m % len(o)] for sign, (_, _, o) in zip(signs, operands, strict=True)), Fraction(0))
            for m in range(count)
        ]
    )
    tensors = [tensor for tensor, _, _ in operands]
    if len(multipliers) == 1 and max(encoding.bits for encoding in encodings) <= TABLE_BITS:
        name = importer.layer_name("add")
        layer: Add | Conv2d = Add.scaled(
            encodings=encodings, multipliers=multipliers[0], name=name, inputs=tuple(tensors), output=name
        )
    else:
        layer = _by_channel(importer, tensors, encodings, multipliers)
    return importer.summed(layer, shortest(units), offset)


def _by_channel(
    importer: "Importer", tensors: list[str], encodings: list[Encoding], multipliers: list[list[int]]
) -> Conv2d:
    """Return the layer that adds multiples which differ by channel."""
    channels, parts = importer.builder.tensors[tensors[0]].shape[2], len(tensors)
    common = encodings[0]
    if any(encoding != common for encoding in encodings):
        common = uniform_between(min(e.min for e in encodings), max(e.max for e in encodings))
        tensors = [recoded(importer, tensor, common) for tensor in tensors]
    source = importer.layer_name("concat")
    importer.builder.add(Concat(name=source, inputs=tuple(tensors), output=source), common)
    turned = importer.layer_name("shuffle")
    importer.builder.add(ChannelShuffle(name=turned, input=source, output=turned, groups=parts), common)
    factors = np.array([multipliers[m % len(multipliers)] for m in range(channels)], np.int64)
    bits = signed_bits(int(factors.min()), int(factors.max()))
    if bits > 32:
        raise Misfit(f"adds channels whose scales share no unit within 32 bits ({bits})")
    encoding = uniform_between(int(factors.min()), int(factors.max()))
    name = importer.layer_name("add")
    return Conv2d(
        name=name,
        input=turned,
        output=name,
        weights=encoding.encode(factors.reshape(channels, 1, 1, parts)),
        weight_encoding=encoding,
        groups=channels,
    )


def recoded(importer: "Importer", tensor: str, encoding: Encoding, multiplier: int = 1) -> str:
    """Return a tensor with multiples of a tensor's values in another encoding, which holds them."""
    own = importer.encoding(tensor)
    if own == encoding and multiplier == 1:
        return tensor
    name = importer.layer_name("table")
    if own.bits <= TABLE_BITS:
        layer: Add | Conv2d = Add(
            name=name, inputs=(tensor,), output=name, tables=(own.decode(every_code(own)) * multiplier,)
        )
    else:
        channels = importer.builder.tensors[tensor].shape[2]
        weights = uniform_between(min(multiplier, 0), max(multiplier, 0))
        layer = Conv2d(
            name=name,
            input=tensor,
            output=name,
            weights=weights.encode(np.full((channels, 1, 1, 1), multiplier)),
            weight_encoding=weights,
            groups=channels,
        )
    importer.builder.add(layer, encoding)
    return name
