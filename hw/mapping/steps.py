"""The layers of a network as steps of the accelerator: which array runs each, on which layout."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.arrays import arrays_of
from rowloom.hw.mapping.ends import ends_of
from rowloom.hw.mapping.engine import (
    PLANES_KEY,
    array_keys,
    bare,
    check_preferred,
    has_zero,
    is_linear,
    path_of,
    seen,
    unit_of,
)
from rowloom.hw.mapping.inputs import input_layout
from rowloom.hw.mapping.kinds import is_view
from rowloom.hw.mapping.maps import Maps, maps_of
from rowloom.hw.mapping.planes import planes_for
from rowloom.hw.mapping.regions import regions_of
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.hw.mapping.window import window_of
from rowloom.hw.parameters import Hardware
from rowloom.hw.units import SPECS
from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Layer, SummingLayer
from rowloom.model.network import Network, Tensor

__all__ = ["steps_of"]


def steps_of(
    network: Network, config: ArrayConfig, banks: int, planes: Collection[str] = (), built: Hardware | None = None
) -> tuple[list[Step], list[ArrayParameters], list[VectorParameters], Maps]:
    """The steps of a network and the paths that they need, still without widths and depths.

    Each unit that is used, for each pair of encodings, gets an array of the configured size. Only
    the first layer's, where no other layer shares it, is a small one whose elements take all input
    rows of a column at once (*stacked*). The layers named in ``planes`` run as bit planes on the
    xnor array. Layers that an array of ``built`` takes run there.

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
    for name in config.units if built is None else ():
        check_preferred(SPECS[name], network, layers)
    keys = [
        PLANES_KEY if layer.name in planes else key
        for layer, key in zip(layers, array_keys(network, layers, specs), strict=True)
    ]
    sources = [network.tensor(layer.inputs[0]).encoding for layer in layers]
    arrays = arrays_of(network, config, layers, keys, planes, built)
    vectors: dict[VectorParameters, VectorParameters] = {}
    layouts: dict[str, Layout] = {}
    kinds: dict[str, tuple[int, int, bool]] = {}
    entry = _entry(network, layers, arrays, maps, config, banks, planes)
    steps = []
    for layer, on_array, encoding in zip(layers, arrays, sources, strict=True):
        tensor, target = network.tensor(layer.inputs[0]), network.tensor(layer.output)
        lanes = on_array.lanes if on_array else config.lanes
        for name in layer.inputs:
            layout = _plain(network.tensor(name), lanes, banks, maps)
            if name == network.input and entry is not None:
                layout = entry
            if layer.name in planes and tensor.encoding.bits > 1:
                layout = replace(layout, planes=True)
            kind = (layout.lanes, layout.bits, layout.planes)
            if layouts.setdefault(name, layout) != layout or kinds.setdefault(maps.buffer[name], kind) != kind:
                raise RowloomError(layer.name, f"needs {name} in another layout than an earlier layer")
        path = path_of(layer)
        layout = layouts[layer.inputs[0]]
        array: ArrayParameters | VectorParameters | None = on_array
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
        for region in (*regions_of(layer, layout.shape),) or (None,):
            window = replace(window_of(layer, layout, shape, region), filters=int(places.max()) + 1)
            if square is not None and not final:
                window = replace(window, side=square.side)
            step = Step(
                layer=layer,
                path=path,
                spec=SPECS[on_array.unit] if on_array else None,
                source=source,
                target=target.encoding,
                zero=_zero(encoding) if is_linear(layer) else 0,
                pad=_pad(layer, encoding) if is_linear(layer) else 0,
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
                region=region,
                square=square,
            )
            step.tensor = ends.leaving.get(layer.name, step.output)
            steps.append(step)
    used = list({id(array): array for array in arrays if array}.values())
    return steps, used, list(vectors.values()), maps


def _zero(encoding: Encoding) -> int:
    """Code that means 0, where a value is code - zero_point."""
    return encoding.zero_point if isinstance(encoding, Uniform) else 0


def _pad(layer: Layer, encoding: Encoding) -> int:
    """Code that padding holds: of another value than 0 only on the vector path, elsewhere that is code 0."""
    if path_of(layer) == "vector" and isinstance(layer, Conv2d) and layer.pad_value:
        return int(encoding.encode(layer.pad_value))
    return _zero(encoding)


def _plain(tensor: Tensor, lanes: int, banks: int, maps: Maps) -> Layout:
    """The layout of a map in words of ``lanes`` codes, pixel by pixel."""
    encoding = tensor.encoding
    places = maps.places[tensor.name]
    order = () if np.array_equal(places, np.arange(len(places))) else tuple(int(place) for place in places)
    return Layout(shape=tensor.shape, bits=encoding.bits, lanes=lanes, banks=banks, signed=encoding.signed, order=order)


def _entry(
    network: Network,
    layers: Sequence[Layer | Send],
    arrays: Sequence[ArrayParameters | None],
    maps: Maps,
    config: ArrayConfig,
    banks: int,
    planes: Collection[str],
) -> Layout | None:
    """The layout of the network's input that all layers on arrays want that read it; None if others read it too."""
    tensor = network.tensor(network.input)
    readers = [(layer, array) for layer, array in zip(layers, arrays, strict=True) if network.input in layer.inputs]
    alone = len(readers) == 1 and (readers[0][0].name not in planes or tensor.encoding.bits == 1)
    alone = alone and not config.load_bits  # which is for several networks
    wanted = set()
    for layer, array in readers:
        if array is None:
            return None
        plain = _plain(tensor, array.lanes, banks, maps)
        wanted.add(input_layout(layer, plain, tensor.encoding, array, config, banks, alone=alone))
    return wanted.pop() if len(wanted) == 1 else None
