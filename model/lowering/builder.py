"""The integer network while it grows."""

from dataclasses import dataclass, field, replace
from itertools import chain, count

from rowloom.model import layers as ir
from rowloom.model.check import check_layer
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.network import Tensor


@dataclass(slots=True)
class Builder:
    """What has been lowered so far."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    layers: list[ir.Layer] = field(default_factory=list)
    weighted: int = 0
    """Layers with weights so far; their names are numbered."""

    def fresh_name(self, stem: str) -> str:
        """Return stem, or stem with a number if another tensor has it."""
        names = chain([stem], (f"{stem}_{number}" for number in count(2)))
        return next(name for name in names if name not in self.tensors)

    def numbered_name(self, op: type[ir.Layer], stem: str) -> str:
        """Return stem with the number of the next layer of that class."""
        return self.fresh_name(f"{stem}{1 + sum(isinstance(layer, op) for layer in self.layers)}")

    def add(self, position: str, layer: ir.Layer, encoding: Encoding) -> str:
        """Append a layer and the tensor that it writes; return that tensor's name.

        Raises
        ------
        RowloomError
            If the layer does not suit its inputs, by the position of the module that it comes from.
        """
        sources = [self.tensors[name] for name in layer.inputs]
        try:
            shape = layer.output_shape(*(source.shape for source in sources))
            target = Tensor(name=layer.output, shape=shape, encoding=encoding)
            check_layer(layer, sources, target)
        except RowloomError as error:
            if error.subject != layer.name:
                raise
            raise RowloomError(f"layer {position} ({layer.name})", error.problem, error.remedy) from None
        self.tensors[target.name] = target
        self.layers.append(layer)
        return target.name


@dataclass(frozen=True, slots=True)
class Call:
    """A module where it is called.

    Parameters
    ----------
    position : str
        Of the module, such as ``2.0``.
    inputs : tuple of str
        Tensors that it reads.
    """

    position: str
    inputs: tuple[str, ...]

    def at(self, *inputs: str) -> "Call":
        """Return the same place with other inputs."""
        return replace(self, inputs=inputs)

    @property
    def subject(self) -> str:
        """What errors call it."""
        return f"layer {self.position}"
