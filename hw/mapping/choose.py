"""Which layers run as bit planes on the xnor array: the sets of layers that are worth a trial."""

from collections.abc import Iterable
from typing import Any

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.kinds import is_view
from rowloom.hw.mapping.planes import planes_for
from rowloom.model.encodings import Encoding
from rowloom.model.layers import Conv2d, DepthToSpace, Linear
from rowloom.model.network import Network

__all__ = ["plane_sets", "without"]


def plane_sets(network: Network, config: ArrayConfig) -> list[frozenset[str]]:
    """Sets of names of layers to run as bit planes; the best is to be found by cost.

    Returns
    -------
    list of frozenset of str
        With ``config.planes`` "never" the empty set, with "always" the set of all that can. With "auto"
        first the empty one, then the first layer, all layers of each pair of encodings, and all that can.
    """
    able = _closed(network, [layer for layer in network.layers if _planes(network, layer)])
    everything = frozenset(layer.name for layer in able)
    if config.planes == "never":
        return [frozenset()]
    if config.planes == "always":
        return [everything]
    kinds: dict[tuple[Encoding, Encoding], list[Any]] = {}
    for layer in able:
        kinds.setdefault((layer.weight_encoding, network.tensor(layer.input).encoding), []).append(layer)
    groups = [able[:1], *kinds.values()] if len(kinds) > 0 else []
    sets = [frozenset(layer.name for layer in _closed(network, group)) for group in groups]
    return list(dict.fromkeys([frozenset(), *sets, everything]))


def without(network: Network, names: Iterable[str], tensor: str) -> frozenset[str]:
    """A set of layers less those that read a tensor, or a map that it is part of, which cannot be stored as planes."""
    held = {tensor}
    for layer in network.layers:
        if is_view(layer) and held.intersection(layer.inputs):
            held.add(layer.output)
    return frozenset(name for name in names if held.isdisjoint(network.layer(name).inputs))


def _planes(network: Network, layer: Any) -> bool:
    if not isinstance(layer, Conv2d | Linear) or (isinstance(layer, Conv2d) and layer.groups > 1):
        return False
    return planes_for(layer.weight_encoding, network.tensor(layer.input).encoding) is not None


def _closed(network: Network, layers: list[Any]) -> list[Any]:
    """Those of the layers whose inputs nothing else reads, whole or in part: a tensor is stored in one way."""
    names = {layer.name for layer in layers}
    homes = _homes(network)
    readers: dict[str, set[str]] = {}
    for layer in network.layers:
        for name in () if is_view(layer) else layer.inputs:
            readers.setdefault(homes[name], set()).add(layer.name)
    for name in network.outputs:  # what is read too is sent from memory
        readers.setdefault(homes[name], set()).add("")
    return [
        layer
        for layer in layers
        if readers[homes[layer.input]] <= names or network.tensor(layer.input).encoding.bits == 1
    ]


def _homes(network: Network) -> dict[str, str]:
    """A tensor for all those that share memory."""
    homes = {tensor.name: tensor.name for tensor in network.tensors}
    for layer in network.layers:
        if is_view(layer) and not isinstance(layer, DepthToSpace):
            joined = {homes[name] for name in layer.inputs}
            homes = {name: layer.output if home in joined else home for name, home in homes.items()}
    return homes
