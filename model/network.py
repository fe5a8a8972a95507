"""The integer network: layers over named tensors."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from rowloom.model.bounds import sum_bounds
from rowloom.model.check import check_layer
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Layer, Linear, Shape, SummingLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A map of codes that layers pass on.

    Parameters
    ----------
    name : str
        Unique in a network.
    shape : (int, int, int)
        H, W, C; the batch is outside.
    encoding : Encoding
        What the codes mean.
    scale : float or None
        Real number that a value of 1 stands for; quantizes float inputs, nothing else.
    """

    name: str
    shape: Shape
    encoding: Encoding
    scale: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise RowloomError("tensor", f"name must be a string that is not empty, not {self.name!r}")
        if len(self.shape) != 3 or any(type(size) is not int or size < 1 for size in self.shape):
            raise RowloomError(self.name, f"shape must be three integers of at least 1, not {self.shape!r}")
        if not isinstance(self.encoding, Encoding):
            raise RowloomError(self.name, f"encoding must be an Encoding, not {self.encoding!r}")
        if self.scale is not None and not (
            isinstance(self.scale, float) and math.isfinite(self.scale) and self.scale > 0
        ):
            raise RowloomError(self.name, f"scale must be a float above 0, not {self.scale!r}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """A directed acyclic graph of layers, checked as a whole when it is made.

    Parameters
    ----------
    name : str
        What reports call it.
    tensors : tuple of Tensor
        Every tensor that a layer reads or writes.
    layers : tuple of Layer
        In topological order.
    input : str
        The tensor that no layer writes.
    outputs : tuple of str
        The tensors that ``run`` returns; a tensor that no layer reads is one of them.
    about : mapping of str to str or number
        Where it comes from, and figures such as its accuracy; no code depends on it.

    Raises
    ------
    RowloomError
        If layers and tensors do not make a whole; about a layer by its place in ``layers`` and its name.
    """

    name: str
    tensors: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    input: str
    outputs: tuple[str, ...]
    about: Mapping[str, str | float] = field(default_factory=dict)
    _tensors: Mapping[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "about", MappingProxyType(dict(self.about)))
        object.__setattr__(self, "_tensors", MappingProxyType({t.name: t for t in self.tensors}))
        if not isinstance(self.name, str) or not self.name:
            raise RowloomError("network", f"name must be a string that is not empty, not {self.name!r}")
        _check_unique("tensor", [tensor.name for tensor in self.tensors])
        _check_unique("layer", [layer.name for layer in self.layers])
        self._check_graph()
        for layer in self.layers:
            with self._at(layer):
                check_layer(layer, [self.tensor(name) for name in layer.inputs], self.tensor(layer.output))

    def tensor(self, name: str) -> Tensor:
        """Return the tensor of that name."""
        try:
            return self._tensors[name]
        except KeyError:
            raise RowloomError(name, f"is no tensor of {self.name}", f"must be {_one_of(self._tensors)}") from None

    def layer(self, name: str) -> Layer:
        """Return the layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise RowloomError(
            name, f"is no layer of {self.name}", f"must be {_one_of({each.name: each for each in self.layers})}"
        )

    @property
    def input_scale(self) -> float | None:
        """Real number that an input value of 1 stands for, or None."""
        return self.tensor(self.input).scale

    def sum_range(self, layer: Layer) -> tuple[int, int]:
        """Return the least and greatest sum that the layer can form, whatever the image.

        It follows from the actual weights or tables, the bias and the range of the inputs' encodings. A layer that
        sums nothing has the range of its inputs' values.
        """
        if isinstance(layer, SummingLayer):
            lows, highs = self.sum_bounds(layer)
            return min(lows), max(highs)
        encodings = [self.tensor(name).encoding for name in layer.inputs]
        return min(encoding.min for encoding in encodings), max(encoding.max for encoding in encodings)

    def sum_bounds(self, layer: SummingLayer) -> tuple[list[int], list[int]]:
        """Return least and greatest sum of every output channel; see :func:`rowloom.model.bounds.sum_bounds`."""
        sources = [self.tensor(name) for name in layer.inputs]
        return sum_bounds(layer, [source.shape for source in sources], [source.encoding for source in sources])

    def macs(self, layer: Layer | None = None) -> int:
        """Return the multiply-accumulates of an image in one layer, or in all."""
        if layer is None:
            return sum(self.macs(each) for each in self.layers)
        return layer.macs(*(self.tensor(name).shape for name in layer.inputs))

    def weight_bits(self, layer: Layer | None = None) -> int:
        """Return the bits that the weights of one layer, or of all, take."""
        if layer is None:
            return sum(self.weight_bits(each) for each in self.layers)
        if isinstance(layer, Conv2d | Linear):
            return int(layer.weights.size) * layer.weight_encoding.bits
        return 0

    @overload
    def run(self, x: ArrayLike, keep: None = None) -> NDArray[Any] | dict[str, NDArray[Any]]: ...
    @overload
    def run(self, x: ArrayLike, keep: Literal["all"]) -> dict[str, NDArray[Any]]: ...
    def run(self, x: ArrayLike, keep: Literal["all"] | None = None) -> NDArray[Any] | dict[str, NDArray[Any]]:
        """Evaluate images exactly; see :func:`rowloom.model.golden.run`."""
        from rowloom.model.golden import run

        return run(self, x, keep)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network to one file; see :func:`rowloom.model.store.save`."""
        from rowloom.model.store import save

        save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Network":
        """Read a network from a file; see :func:`rowloom.model.store.load`."""
        from rowloom.model.store import load

        return load(path)

    @contextmanager
    def _at(self, layer: Layer) -> Iterator[None]:
        """Say in errors about a layer where it stands."""
        try:
            yield
        except RowloomError as error:
            if error.subject != layer.name:
                raise
            raise RowloomError(self._place(layer), error.problem, error.remedy) from None

    def _place(self, layer: Layer) -> str:
        """Return what errors call a layer: its place in ``layers`` and its name."""
        return f"layer {self.layers.index(layer)} ({layer.name})"

    def _check_graph(self) -> None:
        """Check that every tensor has one writer, is known, is written before it is read, and is of use."""
        writers: dict[str, Layer] = {}
        for layer in self.layers:
            for name in (*layer.inputs, layer.output):
                if name not in self._tensors:
                    raise RowloomError(self._place(layer), f"tensor {name!r} is not in the network")
            if layer.output in writers:
                other = self._place(writers[layer.output])
                raise RowloomError(self._place(layer), f"writes {layer.output}, which {other} also writes")
            if layer.output == self.input:
                raise RowloomError(self._place(layer), f"writes {layer.output}, which is the network's input")
            writers[layer.output] = layer
        if not self.outputs:
            raise RowloomError(self.name, "must have at least one output")
        _check_unique("output", list(self.outputs))
        for what, name in (("input", self.input), *(("output", name) for name in self.outputs)):
            if name not in self._tensors:
                raise RowloomError(self.name, f"{what} {name!r} is not one of its tensors")
        for tensor in self.tensors:
            if tensor.name != self.input and tensor.name not in writers:
                raise RowloomError(tensor.name, "is written by no layer and is not the network's input")
        self._check_order(writers)
        self._check_use(writers)

    def _check_order(self, writers: Mapping[str, Layer]) -> None:
        """Check that the layers are in topological order, telling a cycle from a wrong order."""
        ready = {self.input}
        for layer in self.layers:
            late = [name for name in layer.inputs if name not in ready]
            if late:
                break
            ready.add(layer.output)
        else:
            return
        waiting = list(self.layers)
        while movable := [each for each in waiting if ready.issuperset(each.inputs)]:
            ready.update(each.output for each in movable)
            waiting = [each for each in waiting if each not in movable]
        if waiting:
            raise RowloomError(self._place(waiting[0]), "is part of a cycle, or fed by one")
        writer = self._place(writers[late[0]])
        raise RowloomError(self._place(layer), f"reads {late[0]} before {writer} writes it", "sort the layers")

    def _check_use(self, writers: Mapping[str, Layer]) -> None:
        """Check that every tensor is read or is an output; the input is, if there is anything else."""
        used = {name for layer in self.layers for name in layer.inputs} | set(self.outputs)
        for name, writer in writers.items():
            if name not in used:
                raise RowloomError(
                    self._place(writer), f"writes {name}, which no layer reads", "must be an output, or left out"
                )


def _check_unique(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise RowloomError(name, f"is the name of {names.count(name)} {what}s", "names must be unique")


def _one_of(names: Mapping[str, object]) -> str:
    return " or ".join(names)
