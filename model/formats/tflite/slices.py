"""Operators that take some of a tensor's elements: SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and GATHER."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.shapes import places_of
from rowloom.model.formats.tflite.values import Value, in_order


def _set(importer: Importer, operator: Operator, index: int, value: Value, places: NDArray[np.int64]) -> None:
    """Say that an output is some of a value's elements."""
    if not places.size:
        raise importer.fail(operator, "takes nothing", "need at least one element")
    kept = in_order(places, importer.shape(value))
    importer.place(operator, index, replace(value, shape=places.shape, places=kept))


def slice_(importer: Importer, operator: Operator) -> None:
    """SLICE: from a first place, so many."""
    index, begin_index, size_index = importer.inputs(operator, 3, 3)
    value = importer.elements(index, operator)
    begins = importer.integers(begin_index, operator, "begin").reshape(-1).tolist()
    sizes = importer.integers(size_index, operator, "size").reshape(-1).tolist()
    if not len(begins) == len(sizes) == len(value.shape):
        raise importer.fail(operator, f"takes {sizes} from {begins} of {value.shape}", "need one of each an axis")
    ends = [
        whole if size == -1 else begin + size for begin, size, whole in zip(begins, sizes, value.shape, strict=True)
    ]
    if any(not 0 <= a < b <= whole for a, b, whole in zip(begins, ends, value.shape, strict=True)):
        raise importer.fail(operator, f"takes {sizes} from {begins} of {value.shape}", "need what is there")
    taken = places_of(importer, operator, value)[tuple(map(slice, begins, ends))]
    _set(importer, operator, operator.outputs[0], value, taken)
    importer.builder.note([str(operator)], None, "takes some of the data")


def strided_slice(importer: Importer, operator: Operator) -> None:
    """STRIDED_SLICE: of sizes beforehand; of a map, every so manieth from first to last."""
    if operator.inputs[0] not in importer.values:
        importer.fold(operator)
        return
    index, *rest = importer.inputs(operator, 4, 4)
    value = importer.elements(index, operator)
    begins, ends, steps = (importer.integers(each, operator, "bounds").reshape(-1).tolist() for each in rest)
    masks = {name: operator.options.get(f"{name}Mask", 0) for name in ("Begin", "End", "ShrinkAxis")}
    if any(operator.options.get(f"{name}Mask", 0) for name in ("Ellipsis", "NewAxis")):
        raise importer.fail(operator, "has an ellipsis or a new axis", "need plain slices")
    if not len(begins) == len(ends) == len(steps) <= len(value.shape) or min(steps, default=1) < 1:
        raise importer.fail(operator, f"takes {begins} to {ends} by {steps} of {value.shape}", "need rising slices")
    keys: list[slice | int] = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if masks["ShrinkAxis"] >> axis & 1:
            place = 0 if masks["Begin"] >> axis & 1 else begin
            if not -value.shape[axis] <= place < value.shape[axis]:
                raise importer.fail(operator, f"takes {place} of axis {axis} of {value.shape}", "need what is there")
            keys.append(place)
        else:
            keys.append(
                slice(None if masks["Begin"] >> axis & 1 else begin, None if masks["End"] >> axis & 1 else end, step)
            )
    _set(importer, operator, operator.outputs[0], value, places_of(importer, operator, value)[tuple(keys)])
    importer.builder.note([str(operator)], None, "takes some of the data")


def split(importer: Importer, operator: Operator) -> None:
    """SPLIT: the axis, then the tensor, into equal parts."""
    if len(operator.inputs) != 2:
        raise importer.fail(operator, f"has {len(operator.inputs)} inputs", "need 2")
    value = importer.elements(operator.inputs[1], operator)
    size = _axis(importer, operator, operator.inputs[0], value)[1]
    parts, rest = divmod(size, len(operator.outputs))
    if rest:
        raise importer.fail(operator, f"splits {size} into {len(operator.outputs)}", "need equal parts")
    _split(importer, operator, operator.inputs[0], value, [parts] * len(operator.outputs))


def split_v(importer: Importer, operator: Operator) -> None:
    """SPLIT_V: the tensor, sizes, the axis."""
    if len(operator.inputs) != 3:
        raise importer.fail(operator, f"has {len(operator.inputs)} inputs", "need 3")
    value = importer.elements(operator.inputs[0], operator)
    size = _axis(importer, operator, operator.inputs[2], value)[1]
    sizes = importer.integers(operator.inputs[1], operator, "sizes").reshape(-1).tolist()
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = size - sum(sizes) - 1
    if len(sizes) != len(operator.outputs) or sum(sizes) != size or min(sizes) < 1:
        raise importer.fail(operator, f"splits {size} into {sizes}", "need parts that make it up")
    _split(importer, operator, operator.inputs[2], value, sizes)


def _axis(importer: Importer, operator: Operator, index: int, value: Value) -> tuple[int, int]:
    """Return a constant axis and its size."""
    axes = importer.integers(index, operator, "axis").reshape(-1).tolist()
    if len(axes) != 1 or not -len(value.shape) <= axes[0] < len(value.shape):
        raise importer.fail(operator, f"runs along axis {axes} of {value.shape}", "need one that is there")
    axis = axes[0] % len(value.shape)
    return axis, value.shape[axis]


def _split(importer: Importer, operator: Operator, index: int, value: Value, sizes: Sequence[int]) -> None:
    axis, _ = _axis(importer, operator, index, value)
    cuts = np.cumsum(sizes)[:-1].tolist()
    parts = np.split(places_of(importer, operator, value), cuts, axis=axis)
    for output, places in zip(operator.outputs, parts, strict=True):
        _set(importer, operator, output, value, places)
    importer.builder.note([str(operator)], None, "takes some of the data")


def gather(importer: Importer, operator: Operator) -> None:
    """GATHER: some entries of an axis."""
    index, which = importer.inputs(operator, 2, 2)
    if operator.inputs[0] not in importer.values:
        raise importer.fail(operator, "gathers from a constant", "need data that is computed")
    value = importer.elements(index, operator)
    wanted = importer.integers(which, operator, "indices")
    axis = operator.options.get("Axis", 0)
    if operator.options.get("BatchDims", 0) or not -len(value.shape) <= axis < len(value.shape) or wanted.ndim > 1:
        raise importer.fail(operator, f"gathers along axis {axis} of {value.shape}", "need one axis")
    size = value.shape[axis]
    if not wanted.size or wanted.min() < 0 or wanted.max() >= size or wanted.size > 1 << 20:
        raise importer.fail(operator, f"gathers {wanted.size} entries of {size}", "need those that are there")
    places = places_of(importer, operator, value)
    _set(importer, operator, operator.outputs[0], value, np.take(places, wanted, axis=axis))
    importer.builder.note([str(operator)], None, "takes some of the data")
