"""How a network ends: what leaves straight from the last sums, and what is sent from memory."""

from dataclasses import dataclass
from typing import Any

from rowloom.hw.mapping.maps import is_view
from rowloom.hw.mapping.send import Send
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Layer, MaxPool2d
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
    """

    layers: tuple[Any, ...]
    leaving: dict[str, str]
    argmax: frozenset[str]


def ends_of(network: Network) -> Ends:
    """How a network ends.

    The values of a single output whose layer forms sums, and that nobody else reads, leave without a way through the
    memory, perhaps through the choice of the greatest. All other outputs are sent from memory, one after another.

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
    source = {output: chosen[output].input if output in chosen else output for output in network.outputs}
    if len(network.outputs) == 1 and layers and not (isinstance(layers[-1], MaxPool2d) or is_view(layers[-1])):
        (output,) = network.outputs
        reads = readers.count(source[output]) - (output in chosen)
        if layers[-1].output == source[output] and not reads:
            name = layers[-1].name
            return Ends(
                layers=tuple(layers),
                leaving={name: output},
                argmax=frozenset([name] if output in chosen else []),
            )
    sends = [Send(name=f"send {output}", inputs=(source[output],), output=output) for output in network.outputs]
    return Ends(
        layers=(*layers, *sends),
        leaving={send.name: send.output for send in sends},
        argmax=frozenset(send.name for send in sends if send.output in chosen),
    )
