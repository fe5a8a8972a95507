"""Which maps share memory, and in which order the channels of a map lie: rearranging moves no data.

A concatenated map is one buffer into which each of its parts is written at words of its own, so that every part
starts at a whole word. A slice of a map is those of its words that hold the slice's channels. A channel shuffle is the
same buffer read in another order: the order is taken up where the next layer's weights are laid out. Paths that keep
lanes apart (pools, depthwise layers, sums of maps) hand the order on; a convolution writes any order that is wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.slices import Slice
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ChannelShuffle, Concat, Conv2d, Layer, Linear
from rowloom.model.network import Network
from rowloom.model.operation import Operation

__all__ = ["Maps", "is_view", "maps_of"]


@dataclass(frozen=True, slots=True)
class Maps:
    """Where the channels of each tensor lie.

    Parameters
    ----------
    places : dict of str to int64 [C]
        Place of each channel among the codes of a pixel, from the tensor's own first word on.
    buffer : dict of str to str
        Tensor whose memory a tensor lies in; itself, if in its own.
    words_before : dict of str to int
        First word of the tensor among the words of a pixel of its buffer.
    same : dict of str to str
        Tensor that holds the same channels, perhaps in another order.
    others : dict of str to int64
        Of a slice: places of channels in its words that are not its own.
    """

    places: dict[str, np.ndarray] = field(default_factory=dict)
    buffer: dict[str, str] = field(default_factory=dict)
    words_before: dict[str, int] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)


def is_view(layer: Layer | Send) -> bool:
    """Whether a layer only renames what is there."""
    return isinstance(layer, Concat | ChannelShuffle | Slice)


def keeps_lanes(layer: Layer | Send) -> bool:
    """Whether a layer's output channel lies in the lane of its input channel."""
    if isinstance(layer, Conv2d):
        return is_depthwise(layer)
    return not isinstance(layer, Linear)


def is_depthwise(layer: Layer | Send) -> bool:
    """Whether a layer multiplies each channel with a filter of its own."""
    if not isinstance(layer, Conv2d) or layer.operation is not Operation.MULTIPLY:
        return False
    return 1 < layer.groups == len(layer.weights) and layer.weights.shape[3] == 1


def maps_of(network: Network, layers: Sequence[Layer | Send], lanes: int) -> Maps:
    """Places and buffers of every tensor that ``layers`` read or write.

    Parameters
    ----------
    network : Network
    layers : sequence of Layer
        Those that run, and the views, in order.
    lanes : int
        Codes of a word.

    Raises
    ------
    RowloomError
        Naming the layer whose channels would have to be moved.
    """
    writers = {layer.output: layer for layer in layers}
    wanted: dict[str, np.ndarray] = {}
    while True:
        maps = Maps()
        _enter(maps, network.input, np.arange(network.tensor(network.input).shape[2]))
        again = False
        for layer in layers:
            if isinstance(layer, Send):
                continue
            if isinstance(layer, Concat):
                _concatenate(maps, layer, network, lanes)
                continue
            if isinstance(layer, Slice):
                _slice(maps, layer, lanes)
                alone = any(layer.output in each.inputs and not takes_zeros(each) for each in layers)
                if alone and len(maps.others[layer.output]):
                    again = True
                    _spread(layer, maps, writers, wanted, lanes)
                    break
                continue
            source = maps.places[layer.inputs[0]]
            if isinstance(layer, ChannelShuffle):
                _enter(maps, layer.output, source[_shuffled(layer, len(source))], at=layer.inputs[0])
                continue
            if not keeps_lanes(layer):
                places = wanted.get(layer.output, np.arange(network.tensor(layer.output).shape[2]))
                _enter(maps, layer.output, places)
                continue
            for name in layer.inputs[1:]:
                if not np.array_equal(maps.places[name], source):
                    again = _reorder(layer, maps, writers, wanted)
                    break
            if again:
                break
            _enter(maps, layer.output, source)
        if not again:
            return maps


def _enter(maps: Maps, name: str, places: np.ndarray, *, at: str | None = None) -> None:
    """Note a tensor with a buffer of its own, or in the memory of another one."""
    maps.places[name] = places
    maps.same[name] = maps.same[at] if at else name
    maps.buffer[name] = maps.buffer[at] if at else name
    maps.words_before[name] = maps.words_before[at] if at else 0


def _slice(maps: Maps, layer: Slice, lanes: int) -> None:
    """Note the words of a map that hold the channels of a slice, and what else lies there."""
    whole = maps.places[layer.input]
    mine = np.zeros(len(whole), np.bool_)
    mine[layer.first : layer.first + layer.count] = True
    before, after = whole[mine].min() // lanes * lanes, whole[mine].max() // lanes * lanes + lanes
    _enter(maps, layer.output, whole[mine] - before, at=layer.input)
    maps.words_before[layer.output] += int(before) // lanes
    maps.others[layer.output] = whole[~mine & (whole >= before) & (whole < after)] - before


def _concatenate(maps: Maps, layer: Concat, network: Network, lanes: int) -> None:
    """Move the buffers of the parts into one."""
    before, places = 0, []
    for name in layer.inputs:
        home = maps.buffer[name]
        if home == network.input or home != maps.same[name]:
            raise RowloomError(
                layer.name, f"would have to copy {name}", "each part must be written for this layer alone"
            )
        places.append(maps.places[name] + before * lanes)
        words = -(-(int(maps.places[name].max()) + 1) // lanes)
        for member in [each for each, buffer in maps.buffer.items() if buffer == home]:
            maps.buffer[member] = layer.output
            maps.words_before[member] += before
        before += words
    _enter(maps, layer.output, np.concatenate(places))


def _spread(
    layer: Slice, maps: Maps, writers: dict[str, Layer | Send], wanted: dict[str, np.ndarray], lanes: int
) -> None:
    """Let the convolution behind a map write every slice of it into words of its own, with holes behind it."""
    channels = np.arange(len(maps.places[layer.input]))
    places = channels // layer.count * -(-layer.count // lanes) * lanes + channels % layer.count
    name = layer.input
    while True:
        writer = writers.get(name)
        if writer is None or isinstance(writer, Concat | Slice) or name in wanted:
            raise RowloomError(layer.input, f"holds groups of {layer.count} channels in words of {lanes}")
        if isinstance(writer, ChannelShuffle):
            before = np.empty_like(places)
            before[_shuffled(writer, len(places))] = places
            places = before
        elif not keeps_lanes(writer):
            wanted[name] = places
            return
        name = writer.inputs[0]


def _shuffled(layer: ChannelShuffle, channels: int) -> np.ndarray:
    """Channel of the input that each channel of the output is."""
    return np.arange(channels).reshape(layer.groups, -1).T.reshape(-1)


def _reorder(layer: Layer, maps: Maps, writers: dict[str, Layer | Send], wanted: dict[str, np.ndarray]) -> bool:
    """Let a convolution write the order that the other inputs of a sum have; True if one can."""
    for name in layer.inputs:
        writer = writers.get(name)
        free = writer is not None and not is_view(writer) and not keeps_lanes(writer) and name not in wanted
        if free and maps.buffer[name] == name and maps.same[name] == name:
            other = next(each for each in layer.inputs if each != name)
            wanted[name] = maps.places[other]
            return True
    raise RowloomError(layer.name, "adds maps whose channels lie in different orders", "shuffle them alike")
