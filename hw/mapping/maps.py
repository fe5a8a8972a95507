"""Which maps share memory, and in which order the channels of a map lie: rearranging moves no data.

A concatenated map is one buffer into which each of its parts is written at words of its own, so that every part
starts at a whole word. A slice of a map is those of its words that hold the slice's channels. A channel shuffle is the
same buffer read in another order: the order is taken up where the next layer's weights are laid out. Paths that keep
lanes apart (pools, depthwise layers, sums of maps) hand the order on; a convolution writes any order that is wanted.
One in front of a depth to space writes squares of pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.ends import Ends
from rowloom.hw.mapping.kinds import is_view, keeps_lanes
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.slices import Slice
from rowloom.hw.mapping.squares import Square, square_of
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, ChannelShuffle, Concat, DepthToSpace, Layer
from rowloom.model.network import Network

__all__ = ["Maps", "Misplaced", "level", "maps_of"]


class Misplaced(RowloomError):
    """A map that a layer reads does not lie where, or in the order in which, the layer needs it.

    Parameters
    ----------
    layer : Layer or Send
    index : int
        Of the map among the layer's inputs.
    reorder : bool
        It needs another order; otherwise a copy elsewhere will do.
    """

    def __init__(self, layer: Layer | Send, index: int, problem: str, remedy: str, *, reorder: bool = False):
        super().__init__(layer.name, problem, remedy)
        self.layer = layer
        self.index = index
        self.reorder = reorder


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
    squares : dict of str to Square
        Tensors whose pixels are written as squares of pixels.
    others : dict of str to int64
        Of a slice: places of channels in its words that are not its own.
    """

    places: dict[str, np.ndarray] = field(default_factory=dict)
    buffer: dict[str, str] = field(default_factory=dict)
    words_before: dict[str, int] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    others: dict[str, np.ndarray] = field(default_factory=dict)
    squares: dict[str, Square] = field(default_factory=dict)


def maps_of(network: Network, ends: Ends, config: ArrayConfig) -> Maps:
    """Places and buffers of every tensor that the layers of ``ends`` read or write.

    Raises
    ------
    Misplaced
        Naming a layer for which a map would have to be moved.
    """
    layers: Sequence[Layer | Send] = ends.layers
    writers = {layer.output: layer for layer in layers}
    squares = {
        layer.input: square_of(layer, network.tensor(layer.input).shape, config, leaves=layer.output in ends.straight)
        for layer in layers
        if isinstance(layer, DepthToSpace)
    }
    wanted: dict[str, np.ndarray] = {name: square.places for name, square in squares.items()}
    while True:
        maps = Maps(squares=squares)
        _enter(maps, network.input, np.arange(network.tensor(network.input).shape[2]))
        again = False
        for layer in layers:
            if isinstance(layer, Send):
                _check_order(layer, maps)
                continue
            if isinstance(layer, Concat):
                _concatenate(maps, layer, network, config.lanes)
                continue
            if isinstance(layer, DepthToSpace):
                _check_squares(layer, network, layers, writers)
                _enter(maps, layer.output, np.arange(network.tensor(layer.output).shape[2]))
                continue
            if isinstance(layer, Slice):
                _slice(maps, layer, config.lanes)
                alone = any(layer.output in each.inputs and not takes_zeros(each) for each in layers)
                if alone and len(maps.others[layer.output]):
                    again = True
                    _spread(layer, maps, writers, wanted, config.lanes)
                    break
                continue
            source = maps.places[layer.inputs[0]]
            if isinstance(layer, ChannelShuffle):
                if layer.input == network.input:
                    raise Misplaced(layer, 0, f"shuffles {layer.input}", "a layer must write it")
                _enter(maps, layer.output, source[_shuffled(layer, len(source))], at=layer.inputs[0])
                continue
            if not keeps_lanes(layer):
                places = wanted.get(layer.output, np.arange(network.tensor(layer.output).shape[2]))
                _enter(maps, layer.output, places)
                continue
            if layer.name in ends.leaving:
                _check_order(layer, maps)
            for name in layer.inputs[1:]:
                if not np.array_equal(maps.places[name], source):
                    again = _reorder(layer, maps, writers, wanted)
                    break
            if again:
                break
            _enter(maps, layer.output, source)
        if not again:
            _check_pitch(maps, layers, network, config.lanes)
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
    for index, name in enumerate(layer.inputs):
        home = maps.buffer[name]
        if home == network.input or home != maps.same[name]:
            remedy = "each part must be written for this layer alone"
            raise Misplaced(layer, index, f"would have to copy {name}", remedy)
        places.append(maps.places[name] + before * lanes)
        words = -(-(int(maps.places[name].max()) + 1) // lanes)
        for member in [each for each, buffer in maps.buffer.items() if buffer == home]:
            maps.buffer[member] = layer.output
            maps.words_before[member] += before
        before += words
    _enter(maps, layer.output, np.concatenate(places))


def level(words: dict[str, int], together: Sequence[set[str]]) -> None:
    """Give buffers that a step reads together one pitch: it goes through them in equal steps."""
    before: dict[str, int] = {}
    while words != before:
        before = dict(words)
        for homes in together:
            words.update(dict.fromkeys(homes, max(words[home] for home in homes)))


def _check_pitch(maps: Maps, layers: Sequence[Layer | Send], network: Network, lanes: int) -> None:
    """Raise Misplaced if the input is added to a map of a wider pitch: the loader leaves no gaps between pixels."""
    sums = [layer for layer in layers if isinstance(layer, Add)]
    words: dict[str, int] = {}
    for name, places in maps.places.items():
        home = maps.buffer[name]
        words[home] = max(words.get(home, 0), maps.words_before[name] + int(places.max()) // lanes + 1)
    own = words[network.input]
    level(words, [{maps.buffer[name] for name in layer.inputs} for layer in sums])
    for layer in sums:
        if network.input in layer.inputs and words[network.input] > own:
            problem = f"adds {network.input} to what lies within a wider map"
            raise Misplaced(layer, layer.inputs.index(network.input), problem, "a layer must write it")


def _check_order(layer: Layer | Send, maps: Maps) -> None:
    """Raise Misplaced unless the channels of what leaves lie in their own order."""
    for index, name in enumerate(layer.inputs):
        if not np.array_equal(maps.places[name], np.arange(len(maps.places[name]))):
            problem = "leaves with its channels in another order than they lie in memory"
            raise Misplaced(layer, index, problem, "a convolution must give it", reorder=True)


def _check_squares(
    layer: DepthToSpace, network: Network, layers: Sequence[Layer | Send], writers: dict[str, Layer | Send]
) -> None:
    """Raise Misplaced unless a convolution writes squares for this layer alone."""
    writer = writers.get(layer.input)
    readers = [each for each in layers if layer.input in each.inputs]
    alone = len(readers) == 1 and layer.input not in network.outputs
    if writer is None or is_view(writer) or keeps_lanes(writer) or not alone:
        problem = f"moves the channels of {layer.input}"
        raise Misplaced(layer, 0, problem, "a convolution must give it, for this layer alone", reorder=True)


def _spread(
    layer: Slice, maps: Maps, writers: dict[str, Layer | Send], wanted: dict[str, np.ndarray], lanes: int
) -> None:
    """Let the convolution behind a map write every slice of it into words of its own, with holes behind it."""
    channels = np.arange(len(maps.places[layer.input]))
    places = channels // layer.count * -(-layer.count // lanes) * lanes + channels % layer.count
    name = layer.input
    while True:
        writer = writers.get(name)
        if writer is None or isinstance(writer, Concat | Slice | DepthToSpace) or name in wanted:
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
    """Let convolutions write the order that the other inputs of a sum have; True if they can."""

    def free(name: str) -> bool:
        writer = writers.get(name)
        convolves = writer is not None and not is_view(writer) and not keeps_lanes(writer) and name not in wanted
        return convolves and maps.buffer[name] == name and maps.same[name] == name

    given = [name for name in layer.inputs if not free(name)]
    order = maps.places[(given or layer.inputs)[0]]
    for name in given:
        if not np.array_equal(maps.places[name], order):
            problem = "adds maps whose channels lie in different orders"
            raise Misplaced(layer, layer.inputs.index(name), problem, "shuffle them alike", reorder=True)
    wanted.update({name: order for name in layer.inputs if name not in given})
    return True
