"""ConvTranspose: a convolution that computes every phase of the stride as channels, then DepthToSpace.

Along an axis an output of place o = s e + r takes the taps k = r + p - s t of the pixels e + t: for each phase r of the
stride s another part of the kernel, all of them within one window of pixels round e.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.shapes import depth_to_space_node
from rowloom.model.formats.onnx.nodes.weighted import conv_node
from rowloom.model.formats.onnx.reader import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Taps along one axis.

    Parameters
    ----------
    taps : int64 [phases, window]
        Of the kernel; those outside it are none.
    before, after : int
        Padding of the convolution.
    """

    taps: NDArray[np.int64]
    before: int
    after: int

    @classmethod
    def of(cls, size: int, kernel: int, stride: int, pads: tuple[int, int], more: int) -> "Phases":
        """Return those of an axis of ``size`` pixels, whose output has ``more`` places at its end."""
        length = (size - 1) * stride + kernel - sum(pads) + more
        if length < 1 or length % stride:
            raise Misfit(f"makes {length} places of {size}, where a multiple of its stride, {stride}, is needed")
        first = -((kernel - 1 - pads[0]) // stride)
        window = np.arange(first, (stride - 1 + pads[0]) // stride + 1)
        taps = np.arange(stride)[:, None] + pads[0] - stride * window
        before, after = -first, length // stride + len(window) - 1 - size + first
        if before < 0 or after < 0:
            raise Misfit(f"cuts {list(pads)} places off, where less than the kernel is needed")
        return cls(taps=taps, before=before, after=after)


def conv_transpose_node(importer: Importer, node: Node) -> None:
    """ConvTranspose in one or two dimensions, of one stride in both."""
    constant = importer.constant(node, 1)
    if constant is None or constant.data.ndim not in (3, 4):
        raise Misfit("has weights of other than 3 or 4 axes")
    spatial = constant.data.ndim - 2
    kernel = constant.data.shape[2:]
    strides = _numbers(node, "strides", [1] * spatial, 1)
    pads = _numbers(node, "pads", [0] * (2 * spatial), 0)
    more = _numbers(node, "output_padding", [0] * spatial, 0)
    groups = int(node.attributes.get("group", 1))
    if node.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "") or "output_shape" in node.attributes:
        raise Misfit("has auto_pad or output_shape, where pads are needed")
    if any(each != 1 for each in _numbers(node, "dilations", [1] * spatial, 1)):
        raise Misfit(f"has dilations {node.attributes['dilations']}, where 1 is needed")
    stride = strides[0]
    if set(strides) != {stride} or (spatial == 1 and stride > 1):
        raise Misfit(f"has strides {strides}, where one stride in two dimensions is needed")
    shape = importer.signal(node).axes.shape
    channels = constant.data.shape[0]
    if len(shape) != spatial + 2 or shape[1] != channels or groups < 1 or channels % groups:
        raise Misfit(f"has weights for {channels} channels in {groups} groups, but its input is {shape}")
    axes = [Phases.of(shape[2 + i], kernel[i], stride, (pads[i], pads[spatial + i]), more[i]) for i in range(spatial)]
    weights = f"{node.outputs[0]}/weights"
    importer.values[weights] = _constant(constant, axes, groups)
    names = [node.inputs[0], weights]
    bias = importer.array(node, 2)
    if bias is not None:
        names.append(f"{node.outputs[0]}/bias")
        importer.values[names[-1]] = Constant(np.repeat(bias.reshape(-1), stride**spatial))
    padding = [*(each.before for each in axes), *(each.after for each in axes)]
    sums = f"{node.outputs[0]}/phases" if stride > 1 else node.outputs[0]
    conv = replace(node, inputs=tuple(names), outputs=(sums,), attributes={"pads": padding, "group": groups})
    conv_node(importer, replace(conv, attributes={**conv.attributes, "kernel_shape": [a.taps.shape[1] for a in axes]}))
    if stride > 1:
        moved = {"blocksize": stride, "mode": "CRD"}
        depth_to_space_node(importer, replace(node, inputs=(sums,), outputs=node.outputs[:1], attributes=moved))


def _constant(constant: Constant, axes: list[Phases], groups: int) -> Constant:
    """Return weights [C, M / groups, ...] as those of the convolution."""
    data, there = _phases(constant.data, axes, groups)
    grid = constant.grid
    if grid is None:
        return Constant(np.where(there, data, np.zeros((), data.dtype)), bits=constant.bits)
    values, _ = _phases(grid.values, axes, groups)
    scale, _ = _phases(np.broadcast_to(grid.scale, grid.values.shape), axes, groups)
    encoding = grid.encoding if there.all() else None
    return Constant(np.where(there, data, np.float32(0)), Grid(np.where(there, values, 0), scale, encoding))


def _phases(array: NDArray[Any], axes: list[Phases], groups: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return weights [C, M / groups, ...] as [M * phases, C / groups, ...], and which of them are taps."""
    inputs, filters = array.shape[0] // groups, array.shape[1]
    there = np.ones((1,) * 2, bool)
    for place, axis in enumerate(axes):
        size = array.shape[2 + 2 * place]
        inside = (axis.taps >= 0) & (axis.taps < size)
        array = np.take(array, np.clip(axis.taps, 0, size - 1), axis=2 + 2 * place)
        there = there[..., None, None] & inside
    there = np.broadcast_to(there, array.shape)
    count = len(axes)
    # [group, C / groups, M / groups, phase, window, ...] to [group, M / groups, phases, C / groups, windows].
    order = (0, 2, *range(3, 3 + 2 * count, 2), 1, *range(4, 4 + 2 * count, 2))
    phases = int(np.prod([len(axis.taps) for axis in axes]))
    windows = [axis.taps.shape[1] for axis in axes]

    def arranged(each: NDArray[Any]) -> NDArray[Any]:
        split = each.reshape(groups, inputs, *each.shape[1:]).transpose(order)
        return split.reshape(groups * filters * phases, inputs, *windows)

    return arranged(array), arranged(there)


def _numbers(node: Node, name: str, default: list[int], least: int) -> list[int]:
    values = node.attributes.get(name) or default
    if not isinstance(values, list) or len(values) != len(default) or not all(least <= v < 1 << 10 for v in values):
        raise Misfit(f"has {name} {values}, where {len(default)} numbers from {least} on are needed")
    return [int(each) for each in values]
