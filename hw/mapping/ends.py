"""How a network ends: what leaves straight from the last sums, and what is sent from memory."""

from dataclasses import dataclass
from typing import Any

from rowloom.hw.mapping.kinds import keeps_lanes
from rowloom.hw.mapping.regions import regions_of
from rowloom.hw.mapping.send import Send
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, DepthToSpace, Layer, SummingLayer
from rowloom.model.network import Network

__all__ = ["Ends", "ends_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The layers that run, in order, and those of them whose values leave.

    Parameters
    ----------
    layers : tuple of Layer or Send
        Views among them.
    leaving : dict of str to str
        Name of each layer whose values leave, and the tensor that these are.
    argmax : frozenset of str
        Those of them of which the index of the greatest leaves.
    straight : frozenset of str
        Tensors whose values leave without a way through the memory.
    """

    layers: tuple[Any, ...]
    leaving: dict[str, str]
    argmax: frozenset[str]
    straight: frozenset[str]


def ends_of(network: Network) -> Ends:
    """How a network ends.

    The values of an output whose layer forms sums, and that nobody else reads, leave without a way through the memory,
    perhaps as squares of pixels, or through the choice of the greatest. All other outputs are sent from memory, at the
    end, one after another; so are those that a layer gives part by part.

    Raises
    ------
    RowloomError
        If an argmax is not at the end.
    """
    chosen = {layer.output: layer for layer in network.layers if isinstance(layer, ArgMax)}
    layers: list[Layer | Send] = [layer for layer in network.layers if not isinstance(layer, ArgMax)]
    readers = [name for layer in network.layers for name in layer.inputs]
    for tensor, layer in chosen.items():
        if tensor in readers:
            raise RowloomError(layer.name, f"argmax gives {tensor}, which a layer reads", "it must end the network")
    writers = {layer.output: layer for layer in layers}
    leaving: dict[str, str] = {}
    argmax: set[str] = set()
    straight: set[str] = set()
    sends: list[Send] = []
    for output in network.outputs:
        source = chosen[output].input if output in chosen else output
        writer = writers.get(source)
        if isinstance(writer, DepthToSpace):
            before = writers.get(writer.input)
            if before is not None and not keeps_lanes(before) and readers.count(writer.input) == 1:
                writer = before  # it writes the squares
        alone = readers.count(source) == (source != output) and (source == output or source not in network.outputs)
        if (
            isinstance(writer, SummingLayer)
            and alone
            and not regions_of(writer, network.tensor(writer.inputs[0]).shape)
        ):
            name = writer.name
            straight.add(source)
        else:
            name = f"send {output}"
            sends.append(Send(name=name, inputs=(source,), output=output))
        leaving[name] = output
        if output in chosen:
            argmax.add(name)
    return Ends(layers=(*layers, *sends), leaving=leaving, argmax=frozenset(argmax), straight=frozenset(straight))
