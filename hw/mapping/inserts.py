"""Layers that the mapping puts into a network: copies of maps, other orders of channels, other codes of values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.ends import ends_of
from rowloom.hw.mapping.engine import MAX_LEVELS, bare
from rowloom.hw.mapping.maps import Misplaced, maps_of
from rowloom.hw.mapping.send import Send
from rowloom.hw.units import unit_for
from rowloom.model.encodings import Encoding, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, ArgMax, Conv2d, Layer, Linear, Upsample
from rowloom.model.layers.base import NaryLayer, UnaryLayer
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Thresholds
from rowloom.model.rewrites.multiples import multipliers

__all__ = ["with_inserts"]


def with_inserts(network: Network, config: ArrayConfig) -> Network:
    """The network with every map in the place, in the order and in the codes in which each layer needs it.

    What is computed stays the same. A part of a concatenation that is used elsewhere, too, is copied, by upsampling
    by 1. Where channels lie in an order that a layer cannot take, a pointwise convolution with weights of 0 and one
    other value moves them. Maps of unlike codes that are added are first given codes of one kind.

    Raises
    ------
    RowloomError
        Naming the layer for which a map would have to be moved, where no unit can.
    """
    for layer in network.layers:
        if isinstance(layer, Add):
            network = _with_equal_codes(network, layer, config)
    while True:
        try:
            maps_of(network, ends_of(network), config)
        except Misplaced as problem:
            network = _moved(network, problem, config)
        else:
            return network


def _moved(network: Network, problem: Misplaced, config: ArrayConfig) -> Network:
    """The network with a copy of the map that is misplaced, for the layer that needs it."""
    name = problem.layer.inputs[problem.index]
    source = network.tensor(name)
    if isinstance(problem.layer, Send):  # the map that leaves keeps its name
        within = replace(source, name=_free(network, f"{name} in memory"))
        moved = _identity(network, within, source, config)
        if moved is None:
            raise problem
        return _sent(network, replace(moved, name=_free(network, problem.layer.name)), within)
    target = replace(source, name=_free(network, f"{name} for {problem.layer.name}"))
    made: Layer | None = Upsample(name=target.name, input=name, output=target.name, factor=1)
    if problem.reorder:
        made = _identity(network, source, target, config)
    if made is None:
        raise problem
    inputs = list(problem.layer.inputs)
    inputs[problem.index] = target.name
    return _inserted(network, [made], [target], problem.layer, _reading(problem.layer, tuple(inputs)))


def _with_equal_codes(network: Network, layer: Add, config: ArrayConfig) -> Network:
    """The network with inputs of a sum in codes of one kind, if there is one for all of them."""
    encodings = [network.tensor(name).encoding for name in layer.inputs]
    scales = multipliers(layer, encodings)
    if len({bare(encoding) for encoding in encodings}) == 1 or scales is None:
        return network
    common = _common(encodings)
    if common is None:
        return network
    constants = [
        int(table[0]) - scale * encoding.min
        for table, scale, encoding in zip(layer.tables, scales[0], encodings, strict=True)
    ]
    tables = [scale * wide.every_value + rest for scale, wide, rest in zip(scales[0], common, constants, strict=True)]
    recoded: dict[tuple[str, Encoding], Layer] = {}
    targets: list[Tensor] = []
    inputs = []
    for name, narrow, wide in zip(layer.inputs, encodings, common, strict=True):
        if wide != narrow and (name, wide) not in recoded:
            source = network.tensor(name)
            target = replace(source, name=_free(network, f"{name} for {layer.name}"), encoding=wide)
            recoded[name, wide] = _identity(network, source, target, config, used=True) or _rescaled(source, target)
            targets.append(target)
        inputs.append(recoded[name, wide].output if wide != narrow else name)
    made = replace(layer, inputs=tuple(inputs), tables=tuple(tables))
    return _inserted(network, list(recoded.values()), targets, layer, made)


def _common(encodings: Sequence[Encoding]) -> list[Encoding] | None:
    """Encodings of one kind of bare codes that hold what these hold, the narrowest; None if there are none."""
    kinds = sorted({bare(encoding) for encoding in encodings}, key=lambda kind: (kind.bits, str(kind)))
    least = max(encoding.bits for encoding in encodings)
    wider = [Uniform(bits=bits, signed=signed) for bits in range(least, MAX_LEVELS + 1) for signed in (False, True)]
    for kind in (*kinds, *wider):
        held = [_held(encoding, kind) for encoding in encodings]
        if kind.bits <= MAX_LEVELS and None not in held:
            return [each for each in held if each is not None]
    return None


def _held(encoding: Encoding, kind: Encoding) -> Encoding | None:
    """An encoding of bare codes of a kind that holds all values of another encoding; None if there is none."""
    if bare(encoding) == kind:
        return encoding
    values = encoding.every_value
    if isinstance(kind, Uniform):
        least, most = kind.code_min - int(values.min()), kind.code_max - int(values.max())
        return replace(kind, zero_point=min(max(0, least), most)) if least <= most else None
    rises = bool((np.diff(kind.every_value) > 0).all())
    return kind if rises and np.isin(values, kind.every_value).all() else None


def _identity(
    network: Network, source: Tensor, target: Tensor, config: ArrayConfig, *, used: bool = False
) -> Conv2d | None:
    """A pointwise convolution that gives the values of a map, on a unit that other layers use if there is one.

    None if no unit can, or with ``used`` no unit that other layers use.
    """
    values = target.encoding.every_value
    if target.encoding.bits > MAX_LEVELS or not (np.diff(values) > 0).all():
        return None
    weights = [
        layer.weight_encoding
        for layer in network.layers
        if isinstance(layer, Conv2d | Linear)
        and layer.operation is Operation.MULTIPLY
        and bare(network.tensor(layer.input).encoding) == bare(source.encoding)
    ]
    for encoding in weights if used else (*weights, Ternary()):
        weight = encoding.every_value
        positive = weight[weight > 0]
        try:
            unit_for(encoding, bare(source.encoding), config.units)
        except RowloomError:
            continue
        if 0 not in weight or not positive.size:
            continue
        channels, scale = source.shape[2], int(positive.min())
        diagonal = np.eye(channels, dtype=np.int64) * scale
        return Conv2d(
            name=target.name,
            input=source.name,
            output=target.name,
            weights=encoding.encode(diagonal.reshape(channels, 1, 1, channels)),
            weight_encoding=encoding,
            post=Thresholds.ranks(values * scale, channels),
        )
    return None


def _rescaled(source: Tensor, target: Tensor) -> Add:
    """A sum of one map that gives its values."""
    return Add(
        name=target.name,
        inputs=(source.name,),
        output=target.name,
        tables=(source.encoding.every_value,),
        post=Thresholds.ranks(target.encoding.every_value, source.shape[2]),
    )


def _inserted(
    network: Network, made: Sequence[Layer], targets: Sequence[Tensor], reader: Layer, changed: Layer
) -> Network:
    """The network with layers in front of another one, which is changed."""
    layers: list[Layer] = []
    for layer in network.layers:
        layers += [*made, changed] if layer is reader else [layer]
    return replace(network, tensors=(*network.tensors, *targets), layers=tuple(layers))


def _sent(network: Network, made: Layer, within: Tensor) -> Network:
    """The network with a layer that gives an output, which all others write and read by the name that it has within."""
    layers: list[Layer] = []
    for layer in network.layers:
        changed = layer
        if not isinstance(layer, ArgMax):
            changed = _reading(layer, tuple(within.name if name == made.output else name for name in layer.inputs))
        layers.append(replace(changed, output=within.name) if layer.output == made.output else changed)
    writes = max(at for at, layer in enumerate(layers) if layer.output == within.name)
    layers.insert(writes + 1, made)
    return replace(network, tensors=(*network.tensors, within), layers=tuple(layers))


def _reading(layer: Layer, inputs: tuple[str, ...]) -> Layer:
    """A layer with other inputs."""
    if inputs == layer.inputs:
        return layer
    if isinstance(layer, UnaryLayer):
        return replace(layer, input=inputs[0])
    assert isinstance(layer, NaryLayer)
    return replace(layer, inputs=inputs)


def _free(network: Network, name: str) -> str:
    """A name that no tensor and no layer has."""
    taken = {tensor.name for tensor in network.tensors} | {layer.name for layer in network.layers}
    count = 2
    wanted = name
    while wanted in taken:
        wanted, count = f"{name} {count}", count + 1
    return wanted
