"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND round a convolution: a dilated one, as converters write it."""

from dataclasses import replace

import numpy as np

from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.shapes import places_of
from rowloom.model.formats.tflite.values import NO_BLOCKS, Value, in_order
from rowloom.model.layers import Conv2d

Pair = tuple[int, int]


def _blocks(importer: Importer, operator: Operator, value: Value) -> tuple[Pair, Pair, Pair]:
    """Return the sides of the blocks and two amounts an axis, down and across in the map."""
    sides = importer.integers(operator.inputs[1], operator, "block").reshape(-1).tolist()
    amounts = importer.integers(operator.inputs[2], operator, "amounts")
    rank = len(value.shape)
    if (
        rank not in (3, 4)
        or len(sides) != rank - 2
        or amounts.shape != (rank - 2, 2)
        or min(sides) < 1
        or amounts.min(initial=0) < 0
        or max(*sides, int(amounts.max(initial=0))) >= 1 << 16
    ):
        raise importer.fail(operator, f"has blocks of {sides} for {value.shape}", "need one side for each of its axes")
    pairs: list[Pair] = [(0, 0)] * (4 - rank) + [(int(a), int(b)) for a, b in amounts]
    sides = [1] * (4 - rank) + sides
    if importer.is_turned(value):
        return (sides[1], sides[0]), pairs[1], pairs[0]
    return (sides[0], sides[1]), pairs[0], pairs[1]


def space_to_batch(importer: Importer, operator: Operator) -> None:
    """SPACE_TO_BATCH_ND: every so manieth pixel, which is how far apart the next convolution's taps are."""
    indices = importer.inputs(operator, 3, 3)
    value = importer.value(indices[0], operator, padded=True)
    if value.fill:
        value = importer.filled(value, operator)
    sides, down, across = _blocks(importer, operator, value)
    top, bottom, left, right = value.padding
    padded = replace(value, padding=(top + down[0], bottom + down[1], left + across[0], right + across[1]))
    height, width, channels = importer.seen(padded)
    if height % sides[0] or width % sides[1]:
        raise importer.fail(operator, f"has blocks of {sides} in a map of {(height, width)}", "need a divisor")
    size = height // sides[0], width // sides[1]
    shape = _shape(importer, value, size, channels)
    importer.set(operator, replace(padded, blocks=sides, shape=shape), "dilates the next convolution")


def batch_to_space(importer: Importer, operator: Operator) -> None:
    """BATCH_TO_SPACE_ND: pixels where they were, less those that are cropped."""
    indices = importer.inputs(operator, 3, 3)
    value = importer.value(indices[0], operator, blocks=True)
    sides, down, across = _blocks(importer, operator, value)
    if sides != value.blocks:
        raise importer.fail(operator, f"has blocks of {sides}", f"need {value.blocks}, after SPACE_TO_BATCH_ND")
    height, width, channels = importer.shape(value)
    size = height - sum(down), width - sum(across)
    if min(size) < 1:
        raise importer.fail(operator, f"crops {down} and {across} of {(height, width)}", "need less")
    shape = _shape(importer, value, size, channels)
    whole = replace(value, blocks=NO_BLOCKS, shape=_shape(importer, value, (height, width), channels))
    layer = importer.builder.layers[-1]
    amounts = (*down, *across)
    if any(amounts) and isinstance(layer, Conv2d) and layer.output == value.tensor:
        # What would be cropped is not computed, as far as it comes of padding.
        less = np.array(layer.padding) - amounts
        if (less >= 0).all() and layer.stride == (1, 1):
            record = importer.builder.tensors[layer.output]
            importer.builder.layers.pop()
            top, bottom, left, right = (int(amount) for amount in less)
            cut = replace(layer, padding=(top, bottom, left, right))
            importer.builder.add(cut, record.encoding, record.scale)
            amounts = (0, 0, 0, 0)
    if any(amounts):
        places = places_of(importer, operator, whole).reshape(height, width, channels)
        taken = places[down[0] : height - down[1], across[0] : width - across[1]].reshape(shape)
        importer.set(operator, replace(whole, shape=shape, places=in_order(taken, (height, width, channels))), "crops")
    else:
        importer.set(operator, replace(whole, shape=shape), "pixels where they were")


def _shape(importer: Importer, value: Value, size: Pair, channels: int) -> tuple[int, ...]:
    """Return the file's shape of a map of that size, with as many axes as the value."""
    down, across = size[::-1] if importer.is_turned(value) else size
    return (1, down, across, channels) if len(value.shape) == 4 else (1, across, channels)
