"""The layers of a network as steps of the accelerator: which array runs each, on which layout."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.ends import ends_of
from rowloom.hw.mapping.engine import (
    PLANES_KEY,
    ArrayKey,
    array_keys,
    bare,
    check_preferred,
    has_zero,
    is_linear,
    path_of,
    seen,
    stacked_key,
    unit_of,
    zeros_show,
)
from rowloom.hw.mapping.kinds import is_view
from rowloom.hw.mapping.maps import Maps, maps_of
from rowloom.hw.mapping.parts import parts_of
from rowloom.hw.mapping.planes import planes_for
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.hw.mapping.window import window_of
from rowloom.hw.parameters import ArrayParameters, VectorParameters
from rowloom.hw.units import SPECS
from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, SummingLayer
from rowloom.model.network import Network

__all__ = ["steps_of"]


def steps_of(
    network: Network, config: ArrayConfig, banks: int, planes: Collection[str] = ()
) -> tuple[list[Step], list[ArrayParameters], list[VectorParameters], Maps]:
    """The steps of a network and the paths that they need, still without widths and depths.

    Each unit that is used, for each pair of encodings, gets an array of the configured size. Only
    the first layer's, where no other layer shares it, is a small one whose elements take all input
    rows of a column at once (*stacked*). The layers named in ``planes`` run as bit planes on the
    xnor array.

    Raises
    ------
    RowloomError
        Naming the layer that the accelerator cannot run, and why; or a unit that was asked for in vain.
    """
    ends = ends_of(network)
    maps = maps_of(network, ends, config)
    layers = [layer for layer in ends.layers if not is_view(layer)]
    specs = [
        unit_of(layer, network, config, last=layer.name in ends.leaving, planes=layer.name in planes)
        for layer in layers
    ]
    for name in config.units:
        check_preferred(SPECS[name], network, layers)
    keys = [
        PLANES_KEY if layer.name in planes else key
        for layer, key in zip(layers, array_keys(network, layers, specs), strict=True)
    ]
    sources = [network.tensor(layer.inputs[0]).encoding for layer in layers]
    stacked = stacked_key(network, layers, keys)
    arrays: dict[ArrayKey, ArrayParameters] = {}
    for key in keys:
        if key is not None and key not in arrays:
            small = key == stacked
            arrays[key] = ArrayParameters(
                unit=key[0],
                rows=config.drains if small else config.rows,
                lanes=config.input_lanes if small else config.lanes,
                stacked=small,
                weights=key[1],
                activations=key[2],
                live_padding=key[3],
                weight_depth=1,
                sum_bits=1,
                planes=bool(planes) and key == PLANES_KEY,
            )
    vectors: dict[VectorParameters, VectorParameters] = {}
    layouts: dict[str, Layout] = {}
    kinds: dict[str, tuple[int, int, bool]] = {}
    packed = {
        _layout(layer, network.tensor(network.input), arrays[key].lanes if key else 0, banks, maps, first=bool(key))
        for layer, key in zip(layers, keys, strict=True)
        if network.input in layer.inputs
    }
    steps = []
    for layer, spec, key, encoding in zip(layers, specs, keys, sources, strict=True):
        tensor, target = network.tensor(layer.inputs[0]), network.tensor(layer.output)
        lanes = arrays[key].lanes if key else config.lanes
        for name in layer.inputs:
            first = name == network.input and key is not None and len(packed) == 1
            layout = _layout(layer, network.tensor(name), lanes, banks, maps, first=first)
            if layer.name in planes and tensor.encoding.bits > 1:
                layout = replace(layout, planes=True)
            kind = (layout.lanes, layout.bits, layout.planes)
            if layouts.setdefault(name, layout) != layout or kinds.setdefault(maps.buffer[name], kind) != kind:
                raise RowloomError(layer.name, f"needs {name} in another layout than an earlier layer")
        path = path_of(layer)
        layout = layouts[layer.inputs[0]]
        array: ArrayParameters | VectorParameters | None = arrays[key] if key else None
        source = seen(layer, encoding)
        if path == "vector":
            sends = isinstance(layer, Send)  # codes, whatever they mean
            source = Uniform(bits=encoding.bits, signed=encoding.signed) if sends else bare(encoding)
            gated = not has_zero(source)
            parameters = VectorParameters(
                lanes=config.lanes,
                drains=config.vector_drains or config.drains,
                activations=source,
                gated=gated,
            )
            array = vectors.setdefault(parameters, parameters)
        places = maps.places[layer.inputs[0] if isinstance(layer, Send) else layer.output]
        shape = tensor.shape if isinstance(layer, Send) else target.shape
        others = maps.others.get(layer.inputs[0])
        if others is not None and len(others) and not takes_zeros(layer):
            raise RowloomError(layer.name, "reads channels beside others", "groups need words of their own")
        square = maps.squares.get(layer.output)
        final = layer.name in ends.leaving
        for part in (*parts_of(layer, layout.shape),) or (None,):
            window = replace(window_of(layer, layout, shape, part), filters=int(places.max()) + 1)
            if square is not None and not final:
                window = replace(window, side=square.side)
            step = Step(
                layer=layer,
                path=path,
                spec=spec,
                source=source,
                target=target.encoding,
                zero=_zero(encoding) if is_linear(layer) else 0,
                layouts=tuple(layouts[name] for name in layer.inputs),
                places=places,
                window=window,
                argmax=layer.name in ends.argmax,
                tensor="",
                final=final,
                array=array,
                drains=array.drains if isinstance(array, VectorParameters) else config.drains,
                bounds=network.sum_bounds(layer) if isinstance(layer, SummingLayer) else ([], []),
                others=others,
                planes=planes_for(layer.weight_encoding, encoding) if layer.name in planes else None,
                part=part,
                square=square,
            )
            step.tensor = ends.leaving.get(layer.name, step.output)
            steps.append(step)
    return steps, list(arrays.values()), list(vectors.values()), maps


def _zero(encoding: Encoding) -> int:
    """Code that means 0, where a value is code - zero_point."""
    return encoding.zero_point if isinstance(encoding, Uniform) else 0


def _layout(layer, tensor, lanes: int, banks: int, maps: Maps, *, first: bool) -> Layout:
    """The layout in which a layer reads an input; the windows of the network's input are packed if they fit."""
    encoding = tensor.encoding
    places = maps.places[tensor.name]
    order = () if np.array_equal(places, np.arange(len(places))) else tuple(int(place) for place in places)
    plain = Layout(
        shape=tensor.shape, bits=encoding.bits, lanes=lanes, banks=banks, signed=encoding.signed, order=order
    )
    if not first or not isinstance(layer, Conv2d) or layer.groups > 1 or not has_zero(bare(encoding)):
        return plain
    if zeros_show(layer) and any(layer.padding[2:]):
        return plain
    taps, channels = layer.weights.shape[2], tensor.shape[2]
    if 1 < taps * channels <= lanes and taps > 1 and layer.dilation[1] == 1 and layer.padding[2] < taps:
        columns = layer.output_shape(tensor.shape)[1]
        return replace(plain, window=taps, stride=layer.stride[1], padding=layer.padding[2], columns=columns)
    return plain
