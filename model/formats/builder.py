"""Growing a network layer by layer, with a note of what every node of the file became."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain, count

import numpy as np

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Layer, Shape
from rowloom.model.network import Network, Tensor
from rowloom.model.views import InputView, OutputView


def _same_post(a: Layer, b: Layer) -> bool:
    """Whether two layers of the same inputs end in the same way."""
    parts = [(getattr(each, "post", None), getattr(each, "bias", None)) for each in (a, b)]
    if type(parts[0][0]) is not type(parts[1][0]):
        return False
    numbers = [
        [bias, *(getattr(post, f.name) for f in fields(post))] if post is not None else [bias] for post, bias in parts
    ]
    return all(np.array_equal(one, other) for one, other in zip(*numbers, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What became of some nodes of a file.

    Parameters
    ----------
    nodes : tuple of str
        As the file names them, with their operators.
    layer : str or None
        The layer that they are part of; None if they left no layer.
    text : str
        What was done.
    """

    nodes: tuple[str, ...]
    layer: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A network and the story of its making.

    Parameters
    ----------
    network : Network
    notes : tuple of Note
        In the order of the file's nodes.
    float_ties : int
        Thresholds beside sums that the rounding of the executor's floats decides, not the numbers in the file.
    """

    network: Network
    notes: tuple[Note, ...]
    float_ties: int = 0


@dataclass(slots=True, kw_only=True)
class Builder:
    """What has been emitted so far."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    float_ties: int = 0
    twins: dict[str, list[Layer]] = field(default_factory=dict)
    """Layers that differ in what they make of their sums only, by the name of the first."""

    def fresh(self, stem: str) -> str:
        """Return ``stem``, or ``stem`` with a number if a tensor has that name."""
        names = chain([stem], (f"{stem}_{number}" for number in count(2)))
        return next(name for name in names if name not in self.tensors)

    def place(self, name: str, shape: Shape, encoding: Encoding, scale: float | None = None) -> Tensor:
        """Add a tensor that no layer writes: the input."""
        self.tensors[name] = Tensor(name=name, shape=shape, encoding=encoding, scale=scale)
        return self.tensors[name]

    def add(self, layer: Layer, encoding: Encoding, scale: float | None = None) -> Tensor:
        """Append a layer and the tensor that it writes; a scale that is no positive number is left out."""
        shape = layer.output_shape(*(self.tensors[name].shape for name in layer.inputs))
        if scale is not None and not 0 < scale < float("inf"):
            scale = None
        tensor = Tensor(name=layer.output, shape=shape, encoding=encoding, scale=scale)
        self.tensors[layer.output] = tensor
        self.layers.append(layer)
        return tensor

    def add_shared(self, layer: Layer, encoding: Encoding, scale: float | None = None) -> str:
        """Append a layer whose sums several nodes may read, each in its own way; return the tensor that it writes.

        One that does the same is taken if it is there; another one of its name gets a name of its own.
        """
        twins = self.twins.setdefault(layer.name, [])
        for twin in twins:
            alike = (twin.inputs, self.tensors[twin.output].encoding) == (layer.inputs, encoding)
            if alike and _same_post(twin, layer):
                return twin.output
        if twins:
            name = self.fresh(layer.name)
            layer = replace(layer, name=name, output=name)
            self.twins[name] = [layer]
        twins.append(layer)
        return self.add(layer, encoding, scale).name

    def note(self, nodes: Iterable[str], layer: str | None, text: str) -> None:
        """Tell what became of nodes; once."""
        note = Note(nodes=tuple(dict.fromkeys(nodes)), layer=layer, text=text)
        if note not in self.notes:
            self.notes.append(note)

    def finish(
        self,
        *,
        source: str,
        input_view: InputView,
        output_views: Iterable[OutputView],
        about: Mapping[str, str | float],
    ) -> Imported:
        """Return the network, without what no output needs."""
        views = tuple(output_views)
        outputs = tuple(dict.fromkeys(view.tensor for view in views))
        needed = set(outputs)
        for layer in reversed(self.layers):
            if layer.output in needed:
                needed.update(layer.inputs)
        if not self.layers:
            raise RowloomError(self.name, "holds no layer", "need a graph with at least one quantized operator")
        if source not in needed:
            raise RowloomError(self.name, "its outputs do not depend on its input")
        network = Network(
            name=self.name,
            tensors=tuple(tensor for name, tensor in self.tensors.items() if name in needed),
            layers=tuple(layer for layer in self.layers if layer.output in needed),
            input=source,
            outputs=outputs,
            about=about,
            input_view=input_view,
            output_views=views,
        )
        kept = {None, *(layer.name for layer in network.layers)}
        notes = tuple(note for note in self.notes if note.layer in kept)
        return Imported(network=network, notes=notes, float_ties=self.float_ties)
