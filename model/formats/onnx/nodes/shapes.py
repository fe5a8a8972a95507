"""Nodes that name axes anew, and nodes that move pixels or channels."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import SPLIT, Axes, Misfit
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.pools import as_sums, moved
from rowloom.model.formats.onnx.nodes.stated import whole_list
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Signal
from rowloom.model.layers import ChannelShuffle, DepthToSpace, UnaryLayer, Upsample


def reshape_node(importer: Importer, node: Node) -> None:
    """Reshape and Flatten."""
    signal = importer.signal(node)
    if node.kind == "Flatten":
        axis = int(node.attributes.get("axis", 1))
        if axis not in (1, 1 - signal.axes.rank):
            raise Misfit(f"flattens from axis {axis}, where 1 is needed")
        wanted = [1, -1]
    else:
        array = importer.array(node, 1)
        wanted = node.attributes.get("shape", []) if array is None else whole_list(array, "shape")
        if node.attributes.get("allowzero", 0) and 0 in wanted:
            raise Misfit("makes an empty tensor")
    axes = signal.axes.reshaped(wanted) if not any(signal.padding) else _padded_reshaped(signal, wanted)
    signal = signal.with_axes(axes, str(node))
    importer.set(node, _shuffled(importer, signal, node) if signal.axes.shuffled else signal)


def _padded_reshaped(signal: Signal, wanted: Sequence[int]) -> Axes:
    """Return the axes of a padded map after a reshape that only adds or drops axes of 1."""
    sizes = dict(signal.axes.sizes)
    top, bottom, left, right = signal.padding
    grown = {**sizes, "H": sizes["H"] + top + bottom, "W": sizes["W"] + left + right}
    result = Axes(signal.axes.axes, grown).reshaped(wanted)
    if [axis for axis in result.axes if axis] != [axis for axis in signal.axes.axes if axis]:
        raise Misfit("comes after Pad, where a convolution is needed")
    return Axes(result.axes, sizes)


def _shuffled(importer: Importer, signal: Signal, node: Node) -> Signal:
    """Return the signal after the channel shuffle that its axes tell of."""
    outer, inner = (signal.axes.sizes[part] for part in SPLIT)
    name = importer.layer_name("shuffle")
    layer = ChannelShuffle(name=name, input="?", output=name, groups=outer)
    result = _rearranged(importer, signal, layer, np.arange(outer * inner).reshape(inner, outer).T.reshape(-1))
    importer.builder.note((str(node),), name, "channel_shuffle")
    return replace(result, axes=signal.axes.whole())


def transpose_node(importer: Importer, node: Node) -> None:
    """Transpose: maps stay as they are, their axes are told in another order."""
    signal = importer.signal(node)
    order = node.attributes.get("perm", list(reversed(range(signal.axes.rank))))
    importer.set(node, signal.with_axes(signal.axes.transposed(order), str(node)))


def squeeze_node(importer: Importer, node: Node) -> None:
    """Squeeze and Unsqueeze."""
    signal = importer.signal(node)
    if node.kind == "Squeeze":
        _not_padded(signal.padding)
    axes = node.attributes.get("axes")
    if axes is None:
        array = importer.array(node, 1)
        axes = None if array is None else whole_list(array, "list of axes")
    if node.kind == "Squeeze":
        result = signal.axes.squeezed(axes)
    elif axes is None:
        raise Misfit("has no axes")
    else:
        result = signal.axes.unsqueezed(axes)
    if not result.axes or result.axes[0] != ("N",):
        raise Misfit("moves the batch")
    importer.set(node, signal.with_axes(result, str(node)))


def pad_node(importer: Importer, node: Node) -> None:
    """Pad with a constant: part of the next layer's padding."""
    signal = importer.signal(node)
    if node.attributes.get("mode", "constant") != "constant":
        raise Misfit(f"pads by {node.attributes['mode']}, where zeros are needed")
    value = importer.array(node, 2)
    number = node.attributes.get("value", 0.0) if value is None else value.reshape(-1)[0] if value.size else 0.0
    array = importer.array(node, 1)
    pads = node.attributes.get("pads", []) if array is None else whole_list(array, "list of pads")
    rank = signal.axes.rank
    axes = importer.array(node, 3)
    if axes is not None:
        full = [0] * (2 * rank)
        if len(pads) != 2 * axes.size:
            raise Misfit(f"has {len(pads)} pads for {axes.size} axes")
        for place, which in enumerate(whole_list(axes, "list of axes")):
            full[which % rank], full[which % rank + rank] = pads[place], pads[place + len(axes)]
        pads = full
    if len(pads) != 2 * rank or min(pads) < 0 or max(pads) >= 1 << 16:
        raise Misfit(f"has pads {pads}, where {2 * rank} numbers from 0 on are needed")
    if not any(pads):
        importer.set(node, signal)
        return
    if not np.isfinite(float(number)):
        raise Misfit(f"pads with {number}, where a number is needed")
    if any(signal.padding) and signal.padded_with != Fraction(float(number)):
        raise Misfit("pads with another number than the Pad before it")
    importer.quantized(signal)
    if not importer.binding.bound:
        _bind_padded(importer, node, signal.axes, [place for place in range(rank) if pads[place] or pads[place + rank]])
        signal = importer.refreshed(signal)
    added = {"H": (0, 0), "W": (0, 0)}
    height, width, _ = importer.map_shape(signal)
    for place, axis in enumerate(signal.axes.axes):
        both = (pads[place], pads[place + rank])
        if not any(both):
            continue
        role = axis[0] if len(axis) == 1 else _only(height, width, rank, place)
        if role not in added:
            raise Misfit("pads the batch or the channels, where height and width are needed")
        added[role] = both
    top, bottom, left, right = signal.padding
    padding = (top + added["H"][0], bottom + added["H"][1], left + added["W"][0], right + added["W"][1])
    importer.builder.note((*signal.nodes, str(node)), None, "part of the padding of the next layer")
    importer.set(node, replace(signal, padding=padding, padded_with=Fraction(float(number))))


def _bind_padded(importer: Importer, node: Node, axes: Axes, padded: list[int]) -> None:
    """Take the axes of the input for those of a map that is padded along some: never along its channels."""
    last = {3: "NWC", 4: "NHWC"}.get(axes.rank)
    turned = any(
        reader.kind == "Transpose" and reader.attributes.get("perm") == [0, axes.rank - 1, *range(1, axes.rank - 1)]
        for reader in importer.graph.nodes
        if node.outputs[0] in reader.inputs
    )
    if last is not None and axes.rank - 1 not in padded and (1 in padded or turned):
        importer.binding.bind(axes, last)
    else:
        importer.bind_default(axes)


def _only(height: int, width: int, rank: int, place: int) -> str:
    """Return the role of an axis of size 1, as NCHW has it."""
    return {2: "H", 3: "W"}.get(place, "") if rank == 4 else ""


def resize_node(importer: Importer, node: Node) -> None:
    """Resize and Upsample, nearest neighbour, by an integer in both directions."""
    signal = importer.signal(node)
    _not_padded(signal.padding)
    importer.quantized(signal)
    signal, order = importer.take_map(node, signal, "NCHW")
    if node.attributes.get("mode", "nearest") != "nearest":
        raise Misfit(f"interpolates by {node.attributes['mode']}, where nearest is needed")
    how = node.attributes.get("coordinate_transformation_mode", "half_pixel" if node.kind == "Resize" else "asymmetric")
    nearest = node.attributes.get("nearest_mode", "round_prefer_floor" if node.kind == "Resize" else "floor")
    if (how, nearest) not in (
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("pytorch_half_pixel", "round_prefer_floor"),
        ("tf_half_pixel_for_nn", "floor"),
    ):
        raise Misfit(f"has {how} with {nearest}, where asymmetric with floor, or half_pixel, is needed")
    shape = signal.axes.shape
    place = {"Upsample": 1}.get(node.kind, 1 if importer.graph.opset < 11 else 2)
    scales = importer.array(node, place)
    if scales is None or not scales.size:
        if "scales" in node.attributes:
            scales = np.array(node.attributes["scales"])
        else:
            sizes = importer.array(node, 3)
            if sizes is None or sizes.size != 4:
                raise Misfit("has neither scales nor sizes")
            scales = np.array([1, *(float(size) / old for size, old in zip(sizes[1:], shape[1:], strict=True))])
    factors = [float(each) for each in scales.reshape(-1)]
    if len(factors) != 4 or factors[:2] != [1, 1] or factors[2] != factors[3] or not 1 <= factors[2] < 1 << 10:
        raise Misfit(f"scales by {factors}, where one factor for height and width is needed")
    if factors[2] != int(factors[2]):
        raise Misfit(f"scales by {factors[2]:g}, where an integer is needed")
    name = importer.layer_name("upsample")
    result = moved(importer, signal, Upsample(name=name, input="?", output=name, factor=int(factors[2])))
    importer.builder.note((str(node),), name, "upsample")
    importer.set(node, replace(result, axes=Axes.of_map(importer.map_shape(result), order)))


def depth_to_space_node(importer: Importer, node: Node) -> None:
    """DepthToSpace."""
    signal = importer.signal(node)
    _not_padded(signal.padding)
    importer.quantized(signal)
    signal, order = importer.take_map(node, signal, "NCHW")
    if order != "NCHW":
        raise Misfit("takes height and width in each other's places")
    block = int(node.attributes.get("blocksize", 0))
    mode = node.attributes.get("mode", "DCR")
    channels = importer.map_shape(signal)[2]
    if block < 1 or channels % block**2 or mode not in ("DCR", "CRD"):
        raise Misfit(f"makes blocks of {block} of {channels} channels by {mode}")
    name = importer.layer_name("depth_to_space")
    layer = DepthToSpace(name=name, input="?", output=name, block=block, mode=mode)
    index = np.arange(channels)
    result = _rearranged(
        importer, signal, layer, index % (channels // block**2) if mode == "DCR" else index // block**2
    )
    importer.builder.note((str(node),), name, "depth_to_space")
    importer.set(node, replace(result, axes=Axes.of_map(importer.map_shape(result), "NCHW")))


def _rearranged(importer: Importer, signal: Signal, layer: UnaryLayer, lift: NDArray[np.int64]) -> Signal:
    """Return the signal after a layer that moves channel c to ``lift[c]``, be it with others of another pixel."""
    carrier = importer.quantized(signal)
    per_channel = any(p.atoms for f in signal.chain for p in f.parameters)
    if carrier.layer is None and (per_channel or len(carrier.unit) > 1 or len(carrier.offset) > 1):
        signal = as_sums(importer, signal)
        carrier = importer.quantized(signal)
    if carrier.layer is not None:
        before = np.arange(carrier.channels) if carrier.lift is None else carrier.lift
        signal = replace(signal, chain=signal.pinned(importer.names), carrier=replace(carrier, lift=lift[before]))
    return moved(importer, signal, layer)


def _not_padded(padding: tuple[int, int, int, int]) -> None:
    if any(padding):
        raise Misfit("comes after Pad, where a convolution is needed")
