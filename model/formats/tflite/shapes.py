"""Operators that name codes anew or take some of them: RESHAPE, TRANSPOSE, PAD, SLICE, CONCATENATION and their like."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.tflite.importer import INPUT, Importer
from rowloom.model.formats.tflite.moves import moved
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import (
    MOST_PLACES,
    NO_PADDING,
    Padding,
    Value,
    in_order,
    map_shape,
    padded_shape,
)
from rowloom.model.layers import Concat


def reshape(importer: Importer, operator: Operator) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the order of the data stays."""
    if len(operator.outputs) != 1:
        raise importer.fail(operator, f"has {len(operator.outputs)} outputs", "need one")
    value = importer.values.get(operator.inputs[0])
    if value is None:
        raise importer.fail(operator, "its input is not computed before")
    shape = _SHAPES[operator.kind](importer, operator, value.shape) or importer.output(operator).shape
    if math.prod(shape) != math.prod(value.shape) or not shape or min(shape) < 1:
        raise importer.fail(operator, f"makes {shape} of {value.shape}", "sizes must agree")
    if any(value.padding) and map_shape(shape) != padded_shape(importer.shape(value), value.padding):
        value = importer.filled(value, operator)
    places = None if value.places is None else value.places.reshape(shape)
    importer.set(operator, replace(value, shape=shape, places=places), "another name for the same data")


def _reshaped(importer: Importer, operator: Operator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a RESHAPE is told: by a constant, else by its options."""
    wanted: list[int] = []
    if len(operator.inputs) > 1 and operator.inputs[1] != -1:
        index = operator.inputs[1]
        if index in importer.constants or importer.tensor(index, operator, "shape").data is not None:
            wanted = importer.integers(index, operator, "shape").reshape(-1).tolist()
    else:
        wanted = list(operator.options.get("NewShape", ()))
    if wanted.count(-1) == 1 and 0 not in wanted:
        wanted[wanted.index(-1)] = abs(math.prod(shape) // math.prod(wanted))
    return tuple(wanted)


def _squeezed(importer: Importer, operator: Operator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape without axes of one: those that are named, or all."""
    named = [axis + len(shape) if axis < 0 else axis for axis in operator.options.get("SqueezeDims", ())]
    if any(not 0 <= axis < len(shape) or shape[axis] != 1 for axis in named):
        raise importer.fail(operator, f"squeezes axes {named} of {shape}", "need axes of 1")
    dropped = named or [axis for axis, size in enumerate(shape) if size == 1]
    return tuple(size for axis, size in enumerate(shape) if axis not in dropped)


def _expanded(importer: Importer, operator: Operator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape with an axis of one more."""
    if len(operator.inputs) != 2:
        raise importer.fail(operator, f"has {len(operator.inputs)} inputs", "need 2")
    axes = importer.integers(operator.inputs[1], operator, "axis").reshape(-1).tolist()
    if len(axes) != 1 or not -len(shape) - 1 <= axes[0] <= len(shape):
        raise importer.fail(operator, f"expands {shape} at {axes}", "need one axis")
    axis = axes[0] + len(shape) + 1 if axes[0] < 0 else axes[0]
    return (*shape[:axis], 1, *shape[axis:])


_SHAPES = {"RESHAPE": _reshaped, "SQUEEZE": _squeezed, "EXPAND_DIMS": _expanded}


def places_of(importer: Importer, operator: Operator, value: Value) -> NDArray[np.int64]:
    """Return where in its map each element of a value lies."""
    if value.places is not None:
        return value.places
    if math.prod(value.shape) > MOST_PLACES:
        raise importer.fail(operator, f"rearranges {value.shape}", f"need at most {MOST_PLACES:,} elements")
    return np.arange(math.prod(value.shape)).reshape(value.shape)


def transpose(importer: Importer, operator: Operator) -> None:
    """TRANSPOSE: of the input it says how that lies; else it is remembered until something needs another order."""
    index, axes_index = importer.inputs(operator, 2, 2)
    order = importer.integers(axes_index, operator, "permutation").reshape(-1).tolist()
    value = importer.computed(index, operator)
    rank = len(value.shape)
    order = [axis + rank if axis < 0 else axis for axis in order]
    if sorted(order) != list(range(rank)):
        raise importer.fail(operator, f"permutes {value.shape} by {order}", "need every axis once")
    shape = tuple(value.shape[axis] for axis in order)
    kept = [axis for axis in order if value.shape[axis] != 1]
    # Channels that become the first axis will be flattened; any other order is that in which the input is stored.
    reorders = value.tensor == INPUT and importer.input_is_open and rank <= 4 and order != [0, 3, 1, 2]
    if not reorders:
        value = importer.elements(index, operator)
    if value.places is None and kept == sorted(kept):
        importer.set(operator, replace(value, shape=shape), "another name for the same data")
        return
    places = places_of(importer, operator, value).transpose(order)
    if not reorders:
        value = replace(value, shape=shape, places=in_order(places, importer.shape(value)))
    else:
        moves = np.argsort(places.reshape(-1))
        for each, other in importer.values.items():
            importer.values[each] = replace(other, places=moves[places_of(importer, operator, other)])
        importer.input_shape = map_shape(shape)
        importer.input_places = importer.values[importer.file.inputs[0]].places
        value = replace(value, shape=shape, places=None)
    importer.set(operator, value, "another order of the same data")


def pad(importer: Importer, operator: Operator) -> None:
    """PAD and PADV2: part of the next layer's padding, or a layer of its own."""
    indices = importer.inputs(operator, 2, 3)
    tensor = importer.file.tensors[indices[0]]
    encoding, scale = importer.encoding(tensor, operator)
    if importer.encoding(importer.output(operator), operator) != (encoding, scale):
        raise importer.fail(operator, "changes scale or zero point", "need the same in and out")
    fill = 0
    if len(indices) == 3:
        code = importer.integers(indices[2], operator, "value").reshape(-1).tolist()
        if len(code) != 1 or not encoding.code_min <= code[0] <= encoding.code_max:
            raise importer.fail(operator, f"pads with {code}", "need one code")
        fill = code[0] - encoding.zero_point
    value = importer.value(indices[0], operator, padded=True)
    amounts = importer.integers(indices[1], operator, "amounts")
    if amounts.shape != (len(value.shape), 2) or amounts.min(initial=0) < 0 or amounts.max(initial=0) >= 1 << 16:
        raise importer.fail(operator, f"pads {amounts.tolist()} round {value.shape}", "need two amounts an axis")
    shape = tuple(size + sum(row) for size, row in zip(value.shape, amounts.tolist(), strict=True))
    if not 2 <= len(shape) <= 4 or amounts[0].any() or map_shape(value.shape) is None:
        raise importer.fail(operator, f"pads {amounts.tolist()} round {value.shape}", "need a map of batch 1")
    axes = [(0, 0)] * (4 - len(shape)) + [(int(a), int(b)) for a, b in amounts[1:]]
    down, across, channels = axes
    if importer.is_turned(value):
        down, across = across, down
    if any(value.padding) and fill != value.fill:
        value = importer.filled(value, operator)
    before = value.padding
    padding: Padding = (before[0] + down[0], before[1] + down[1], before[2] + across[0], before[3] + across[1])
    if not any(channels):
        padded = replace(value, shape=shape, padding=padding, fill=fill if any(padding) else 0)
        importer.set(operator, padded, "part of the padding of the next layer")
        return
    if fill:
        raise importer.fail(operator, "pads channels with another value than 0", "need zeros")
    if map_shape(value.shape) != padded_shape(importer.shape(value), before):
        raise importer.fail(operator, f"pads {amounts.tolist()} round {value.shape}", "need a map")
    count = importer.shape(value)[2]
    taken = np.concatenate([np.full(channels[0], -1), np.arange(count), np.full(channels[1], -1)])
    name = moved(importer, operator, value.tensor, rows=padding[:2], columns=padding[2:], channels=taken)
    importer.place(operator, operator.outputs[0], Value(tensor=name, shape=shape, padding=NO_PADDING))


def concatenation(importer: Importer, operator: Operator) -> None:
    """CONCATENATION along the channels; along any axis where nothing but a dense layer follows."""
    if len(operator.outputs) != 1:
        raise importer.fail(operator, f"has {len(operator.outputs)} outputs", "need one")
    if operator.options.get("FusedActivationFunction", 0):
        raise importer.fail(operator, "has a fused activation", "need none")
    target, scale = importer.encoding(importer.output(operator), operator)
    for index in operator.inputs:
        constant = importer.tensor(index, operator, "input")
        if importer.encoding(constant, operator) != (target, scale):
            raise importer.fail(operator, "joins tensors of different scales", "need one scale and zero point")
    values = [importer.elements(index, operator) for index in operator.inputs]
    rank = len(values[0].shape)
    axis = operator.options.get("Axis", 0)
    axis = axis + rank if axis < 0 else axis
    rests = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if not 0 <= axis < rank or any(len(value.shape) != rank for value in values) or len(rests) > 1:
        shapes = " and ".join(str(value.shape) for value in values)
        raise importer.fail(operator, f"joins {shapes} along axis {axis}", "need one axis that differs")
    if len(values) == 1:
        importer.set(operator, values[0], "of a single tensor")
        return
    stored = [importer.shape(value) for value in values]
    if len({each[:2] for each in stored}) > 1:
        raise importer.fail(
            operator,
            f"joins maps of {' and '.join(map(str, stored))} along axis {axis}",
            "need the channels of maps of one height and width",
        )
    shape = (*values[0].shape[:axis], sum(value.shape[axis] for value in values), *values[0].shape[axis + 1 :])
    places = None
    by_channels = axis == rank - 1 and all(
        value.places is None and value.shape[-1] == each[2] for value, each in zip(values, stored, strict=True)
    )
    if not by_channels:
        count, start, parts = sum(each[2] for each in stored), 0, []
        for value, each in zip(values, stored, strict=True):
            pixels, channels = np.divmod(places_of(importer, operator, value), each[2])
            parts.append(pixels * count + start + channels)
            start += each[2]
        places = in_order(np.concatenate(parts, axis=axis), (*stored[0][:2], count))
    name = importer.layer_name("concat")
    layer = Concat(name=name, inputs=tuple(value.tensor for value in values), output=name)
    importer.builder.add(layer, target, scale)
    importer.set(operator, Value(tensor=name, shape=shape, places=places), layer.op, name)
