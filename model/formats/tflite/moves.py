"""Maps that are padded, cut, and whose channels are reordered: convolutions with one weight of 1 a filter."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import Value, in_order
from rowloom.model.layers import ChannelShuffle, Conv2d
from rowloom.model.post import Requantize

if TYPE_CHECKING:
    from rowloom.model.formats.tflite.importer import Importer

MOST_WEIGHTS = 1 << 22
"""Of a layer that only moves codes."""


def unchanged(channels: int, zero_point: int) -> Requantize:
    """Return the post-operation that keeps every value."""
    return Requantize(
        multiplier=np.full(channels, 1 << 30), shift=np.ones(channels, np.int64), output_zero_point=zero_point
    )


def moved(
    importer: "Importer",
    operator: Operator,
    tensor: str,
    *,
    rows: tuple[int, int] = (0, 0),
    columns: tuple[int, int] = (0, 0),
    strides: tuple[int, int] = (1, 1),
    channels: NDArray[np.int64] | None = None,
    fill: int = 0,
) -> str:
    """Append a layer that pads or cuts a map, takes every so manieth pixel and some channels; return its output.

    Parameters
    ----------
    rows, columns : (int, int)
        What is put before and behind; cut away where negative.
    strides : (int, int)
        Down and across.
    channels : int64 array or None
        Which channel of the map each channel of the output is, -1 for one of zeros; None for all.
    fill : int
        The value that is put there.
    """
    record = importer.builder.tensors[tensor]
    encoding = record.encoding
    assert isinstance(encoding, Uniform)
    sizes, starts, padding = [], [], []
    for before, behind in (rows, columns):
        put = max(before, 0) + max(behind, 0)
        sizes.append(1 + abs(before) + abs(behind))
        # The tap of 1 lies so that the padding, the same on both sides, is less than the kernel.
        starts.append(max(-before, 0) + max(behind, 0))
        padding += [put, put]
    count = record.shape[2]
    filters = count if channels is None else len(channels)
    depth = 1 if channels is None else count
    if filters * sizes[0] * sizes[1] * depth > MOST_WEIGHTS:
        raise importer.fail(operator, f"moves a map of {record.shape} by a kernel of {tuple(sizes)}", "need less")
    weights = np.zeros((filters, *sizes, depth), np.int8)
    if channels is None:
        weights[:, starts[0], starts[1], 0] = 1
    else:
        (taken,) = np.nonzero(channels >= 0)
        weights[taken, starts[0], starts[1], channels[taken]] = 1
    name = importer.layer_name("move")
    layer = Conv2d(
        name=name,
        input=tensor,
        output=name,
        weights=weights,
        weight_encoding=Uniform(bits=8, signed=True),
        stride=strides,
        padding=(padding[0], padding[1], padding[2], padding[3]),
        groups=count if channels is None else 1,
        pad_value=fill if fill and any(padding) else None,
        post=unchanged(filters, encoding.zero_point),
    )
    importer.builder.add(layer, encoding, record.scale)
    importer.builder.note([str(operator)], name, "moves codes")
    return name


def in_the_maps_order(importer: "Importer", operator: Operator, value: Value) -> Value:
    """Return the value with its elements in a map of their own, put there by a layer.

    They are all of a rectangle of a map, with evenly spaced pixels and the same channels of each; channels lie in the
    order of the first pixel. Where the file's order is another one, it is still told by ``places``.

    Raises
    ------
    RowloomError
        If they are no such rectangle.
    """
    assert value.places is not None
    height, width, count = stored = importer.shape(value)
    pixels, channels = np.divmod(value.places.reshape(-1), count)
    rows, columns = np.unique(pixels // width), np.unique(pixels % width)
    first = channels[pixels == pixels[0]]
    shape = len(rows), len(columns), len(first)
    strides = _spacing(rows), _spacing(columns)
    place = (rows[:, None, None] * width + columns[:, None]) * count + first
    if math.prod(shape) != value.places.size or not all(strides) or not _equal_sets(place, value.places):
        raise importer.fail(
            operator, f"takes {value.shape} out of a map of {stored}", "data cannot be rearranged there"
        )
    groups = _shuffled(first, count)
    if groups is not None and shape == stored:
        name = importer.layer_name("shuffle")
        record = importer.builder.tensors[value.tensor]
        shuffle = ChannelShuffle(name=name, input=value.tensor, output=name, groups=groups)
        importer.builder.add(shuffle, record.encoding, record.scale)
        importer.builder.note([str(operator)], name, "shuffles channels")
    else:
        name = moved(
            importer,
            operator,
            value.tensor,
            rows=(-int(rows[0]), int(rows[-1]) + 1 - height),
            columns=(-int(columns[0]), int(columns[-1]) + 1 - width),
            strides=strides,
            channels=None if np.array_equal(first, np.arange(count)) else first,
        )
    if np.array_equal(place.reshape(-1), value.places.reshape(-1)):
        return Value(tensor=name, shape=value.shape, scale=value.scale)
    order = np.argsort(place.reshape(-1))
    places = order[np.searchsorted(place.reshape(-1), value.places, sorter=order)]
    return Value(tensor=name, shape=value.shape, scale=value.scale, places=in_order(places, shape))


def _spacing(places: NDArray[np.int64]) -> int:
    """Return how far apart ascending places are; 0 if not evenly."""
    gaps = set(np.diff(places).tolist())
    return gaps.pop() if len(gaps) == 1 else int(not gaps)


def _equal_sets(a: NDArray[np.int64], b: NDArray[np.int64]) -> bool:
    return np.array_equal(np.sort(a.reshape(-1)), np.sort(b.reshape(-1)))


def _shuffled(channels: NDArray[np.int64], count: int) -> int | None:
    """Return the groups of which a shuffle of all channels gives this order; None if there are none."""
    if len(channels) != count:
        return None
    for groups in range(2, count):
        if count % groups == 0 and np.array_equal(channels, np.arange(count).reshape(groups, -1).T.reshape(-1)):
            return groups
    return None
