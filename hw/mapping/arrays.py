"""Which array runs each layer: new ones, one for each kind that a network needs, or those that were built."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters
from rowloom.hw.mapping.engine import PLANES_KEY, ArrayKey, is_padded, pads_live, stacked_key, zeros_show
from rowloom.hw.parameters import Hardware
from rowloom.hw.units import SPECS
from rowloom.model.network import Network

__all__ = ["arrays_of"]


def arrays_of(
    network: Network,
    config: ArrayConfig,
    layers: Sequence[Any],
    keys: Sequence[ArrayKey | None],
    planes: Collection[str],
    built: Hardware | None = None,
) -> list[ArrayParameters | None]:
    """The array of each layer, None for other paths; equal ones are one object. Widths and depths are still to come.

    Each key gets an array of the configured size. Only the first layer's, where no other layer shares it, is a small
    stacked one. A layer that an array of ``built`` takes runs there.
    """
    stacked = stacked_key(network, layers, keys)
    fresh: dict[ArrayKey, ArrayParameters] = {}
    there: dict[object, ArrayParameters] = {}
    found: list[ArrayParameters | None] = []
    for layer, key in zip(layers, keys, strict=True):
        array = None
        if key is not None:
            array = _built(network, layer, key, built, planes=layer.name in planes) if built else None
            if array is not None:
                here = there.get(array.kind, replace(array, planes=False))
                array = there[array.kind] = here if layer.name not in planes else replace(here, planes=True)
            else:
                array = fresh.setdefault(key, _fresh(config, key, small=key == stacked, planes=bool(planes)))
        found.append(array)
    return [there.get(array.kind, array) if array else None for array in found]


def _fresh(config: ArrayConfig, key: ArrayKey, *, small: bool, planes: bool) -> ArrayParameters:
    """An array of its own for a key."""
    return ArrayParameters(
        unit=key[0],
        rows=config.drains if small else config.rows,
        lanes=config.input_lanes if small else config.lanes,
        stacked=small,
        weights=key[1],
        activations=key[2],
        live_padding=key[3],
        weight_depth=1,
        sum_bits=1,
        planes=planes and key == PLANES_KEY,
    )


def _built(network: Network, layer: Any, key: ArrayKey, built: Hardware, *, planes: bool) -> ArrayParameters | None:
    """The array among those that were built that takes a layer; the largest, and of the unit that it would choose."""
    unit, weights, activations, _ = key
    able = [
        array
        for array in built.arrays
        if (array.weights, array.activations) == (weights, activations)
        and SPECS[array.unit].OPERATION is SPECS[unit].OPERATION
        and (not is_padded(layer) or array.live_padding == pads_live(layer))
        and (array.planes or not planes)
        and (not array.stacked or (network.input in layer.inputs and not zeros_show(layer)))
    ]
    return min(able, key=lambda array: (array.unit != unit, array.stacked, array.live_padding), default=None)
