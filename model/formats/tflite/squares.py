"""Squares of pixels: RESIZE_NEAREST_NEIGHBOR, DEPTH_TO_SPACE and SPACE_TO_DEPTH."""

import numpy as np

from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.moves import MOST_WEIGHTS, unchanged
from rowloom.model.formats.tflite.reader import Operator
from rowloom.model.formats.tflite.values import Value
from rowloom.model.layers import Conv2d, DepthToSpace, Layer, Upsample


def resize(importer: Importer, operator: Operator) -> None:
    """RESIZE_NEAREST_NEIGHBOR by one factor for height and width."""
    index, size_index = importer.inputs(operator, 2, 2)
    value = importer.value(index, operator)
    sizes = importer.integers(size_index, operator, "size").reshape(-1).tolist()
    if len(value.shape) != 4 or len(sizes) != 2 or min(sizes) < 1:
        raise importer.fail(operator, f"resizes {value.shape} to {sizes}", "need a height and a width")
    (_, height, width, channels), factor = value.shape, sizes[0] // value.shape[1]
    flags = [bool(operator.options.get(name, False)) for name in ("AlignCorners", "HalfPixelCenters")]
    plain = sizes == [height * factor, width * factor] and all(
        _nearest(place, size, wanted, *flags) == place // factor
        for size, wanted in ((height, sizes[0]), (width, sizes[1]))
        for place in range(min(wanted, 1 << 16))
    )
    if not plain or importer.is_turned(value) or importer.shape(value)[2] != channels or max(sizes) > 1 << 16:
        raise importer.fail(
            operator, f"resizes {(height, width)} to {tuple(sizes)}", "need both by one integer, each pixel to a square"
        )
    name = importer.layer_name("resize")
    _set(importer, operator, value, Upsample(name=name, input=value.tensor, output=name, factor=factor))


def _nearest(place: int, size: int, wanted: int, align_corners: bool, half_pixel_centers: bool) -> int:
    """Return which pixel of ``size`` comes to a place of ``wanted``, in float32.

    References
    ----------
    TensorFlow Lite, kernels/internal/reference/resize_nearest_neighbor.h, GetNearestNeighbor.
    """
    less = 1 if align_corners and wanted > 1 else 0
    scale = np.float32(size - less) / np.float32(wanted - less)
    at = (np.float32(place) + np.float32(0.5 if half_pixel_centers else 0)) * scale
    found = int(np.floor(at + np.float32(0.5))) if align_corners else int(np.floor(at))
    return max(0, min(found, size - 1))


def depth_to_space(importer: Importer, operator: Operator) -> None:
    """DEPTH_TO_SPACE: the channels of a pixel become a square of pixels, the depth last."""
    value, block = _square(importer, operator)
    channels = importer.shape(value)[2]
    if channels % block**2:
        raise importer.fail(operator, f"makes squares of {block} of {channels} channels", "need a multiple")
    name = importer.layer_name("depth_to_space")
    _set(importer, operator, value, DepthToSpace(name=name, input=value.tensor, output=name, block=block))


def space_to_depth(importer: Importer, operator: Operator) -> None:
    """SPACE_TO_DEPTH: a convolution with one weight of 1 a filter."""
    value, block = _square(importer, operator)
    height, width, channels = importer.shape(value)
    if height % block or width % block:
        raise importer.fail(operator, f"makes squares of {block} of {(height, width)}", "need a multiple")
    filters = channels * block**2
    if filters * block**2 * channels > MOST_WEIGHTS:
        raise importer.fail(operator, f"moves {channels} channels by squares of {block}", "need less")
    name = importer.layer_name("space_to_depth")
    encoding = importer.builder.tensors[value.tensor].encoding
    assert isinstance(encoding, Uniform)
    layer = Conv2d(
        name=name,
        input=value.tensor,
        output=name,
        weights=np.eye(filters, dtype=np.int8).reshape(filters, block, block, channels),
        weight_encoding=Uniform(bits=8, signed=True),
        stride=(block, block),
        post=unchanged(filters, encoding.zero_point),
    )
    _set(importer, operator, value, layer)


def _square(importer: Importer, operator: Operator) -> tuple[Value, int]:
    """Return the input, a map of four axes, and the side of the square."""
    (index,) = importer.inputs(operator, 1, 1)
    value = importer.value(index, operator)
    block = operator.options.get("BlockSize", 0)
    if len(value.shape) != 4 or importer.is_turned(value) or value.shape[1:] != importer.shape(value):
        raise importer.fail(operator, f"takes {value.shape}", "need a map of four axes")
    if not 1 <= block < 1 << 10:
        raise importer.fail(operator, f"has squares of {block}", "need at least 1")
    return value, block


def _set(importer: Importer, operator: Operator, value: Value, layer: Layer) -> None:
    """Append a layer that moves codes and say that it is the output."""
    source = importer.builder.tensors[value.tensor]
    tensor = importer.builder.add(layer, source.encoding, source.scale)
    importer.set(operator, Value(tensor=layer.output, shape=(1, *tensor.shape)), layer.op, layer.name)
