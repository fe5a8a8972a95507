"""Groups as layers of their own: each reads a slice of the channels, and writes a part of a concatenated map."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from rowloom.model.errors import RowloomError
from rowloom.model.layers import Concat, Conv2d
from rowloom.model.layers.base import Shape, UnaryLayer
from rowloom.model.network import Network
from rowloom.model.post import Post, Requantize, Thresholds

__all__ = ["Part", "Slice", "Split", "post_of", "split"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice(UnaryLayer):
    """Neighbouring channels of a map: ``count`` from ``first`` on.

    It stands in a network while that is compiled, and moves nothing.
    """

    op = "slice"

    first: int
    count: int

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (H, W, count)."""
        (shape,) = shapes
        if self.first + self.count > shape[2]:
            raise RowloomError(self.name, f"takes channels to {self.first + self.count} of {shape[2]}")
        return *shape[:2], self.count

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a tensor of a split network is in the one that was given: channels ``first`` to ``stop`` of ``whole``."""

    whole: str
    first: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """A network some of whose convolutions are split into a layer for each of their groups; ``whole`` is it without.

    ``parts`` tells what the tensors are that these write, by name.
    """

    network: Network
    whole: Network
    parts: Mapping[str, Part] = field(default_factory=dict)

    def of(self, names: Collection[str]) -> frozenset[str]:
        """Names of the layers of the split network that are, or are part of, the named ones."""
        return frozenset(
            layer.name for layer in self.network.layers if {layer.name, layer.name.rpartition("/")[0]} & set(names)
        )


@lru_cache(maxsize=32)
def split(network: Network, names: tuple[str, ...]) -> Split:
    """Put in place of each named convolution one for each group, between slices of its input and a concatenation."""
    tensors, layers = list(network.tensors), []
    parts: dict[str, Part] = {}
    for layer in network.layers:
        if layer.name not in names:
            layers.append(layer)
            continue
        assert isinstance(layer, Conv2d)
        source, target = network.tensor(layer.input), network.tensor(layer.output)
        outputs = []
        for view, part, first in _groups(layer):
            stop = first + len(part.weights)
            tensors += [
                replace(source, name=view.output, shape=(*source.shape[:2], view.count)),
                replace(target, name=part.output, shape=(*target.shape[:2], stop - first)),
            ]
            parts[part.output] = Part(whole=layer.output, first=first, stop=stop)
            layers += [view, part]
            outputs.append(part.output)
        layers.append(Concat(name=layer.name, inputs=tuple(outputs), output=layer.output))
    pieces = replace(network, tensors=tuple(tensors), layers=tuple(layers))
    return Split(network=pieces, whole=network, parts=parts)


def _groups(layer: Conv2d) -> Iterator[tuple[Slice, Conv2d, int]]:
    """Slice and convolution of every group, and its first filter."""
    channels, filters = layer.weights.shape[3], len(layer.weights) // layer.groups
    for group in range(layer.groups):
        mine = slice(group * filters, (group + 1) * filters)
        view = Slice(
            name=f"{layer.name}/{group} input",
            input=layer.input,
            output=f"{layer.output}/{group} input",
            first=group * channels,
            count=channels,
        )
        part = replace(
            layer,
            name=f"{layer.name}/{group}",
            input=view.output,
            output=f"{layer.output}/{group}",
            groups=1,
            weights=layer.weights[mine],
            bias=None if layer.bias is None else layer.bias[mine],
            post=post_of(layer.post, mine),
        )
        yield view, part, mine.start


def post_of(post: Post, mine: slice) -> Post:
    """What a post-operation is for some of the filters."""
    if isinstance(post, Thresholds):
        return replace(post, values=post.values[mine], direction=post.direction[mine])
    if isinstance(post, Requantize):
        return replace(post, multiplier=post.multiplier[mine], shift=post.shift[mine])
    return None
