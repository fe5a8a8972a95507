"""What a tensor of the file is while the graph is walked: integers of the network and functions not yet folded."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.endings import Ending
from rowloom.model.formats.onnx.axes import Axes, Misfit, Parameter
from rowloom.model.formats.onnx.numbers.pointwise import Pointwise
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.layers import SummingLayer, UnaryLayer

CARRIER = ("carrier",)
"""Atoms of a parameter that has a number for each of the carrier's channels."""

Numbers = tuple[Fraction, ...]
"""One for all channels, or one a channel."""


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What the network's input is, once something said so."""

    encoding: Encoding
    unit: Numbers
    thresholds: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Deferred:
    """A pool or a rearrangement of the codes that sums will become.

    Parameters
    ----------
    layer : UnaryLayer
    done : int
        How many functions of the chain come before it.
    lift : int64 [channels] or None
        To which channel, after it, a channel of the carrier has gone; None for the same.
    """

    layer: UnaryLayer
    done: int
    lift: NDArray[np.int64] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Carrier:
    """Integers, each standing for unit * integer + offset.

    Parameters
    ----------
    tensor : str
        Of the network; that which ``layer`` would write, if there is one.
    layer : SummingLayer or None
        Sums without a post-operation, not yet part of the network.
    unit, offset : tuple of Fraction
        One, or one for each of ``channels``.
    lows, highs : tuple of int
        What the integers can be: one, or one a channel.
    channels : int
        Of the integers.
    deferred : tuple of Deferred
        What moves or compares the codes that ``layer`` will give: pools and rearrangements, in order.
    lift : int64 [channels] or None
        To which channel after ``deferred`` a channel goes; None for the same.
    """

    tensor: str
    unit: Numbers
    offset: Numbers
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    channels: int
    layer: SummingLayer | None = None
    deferred: tuple[Deferred, ...] = ()
    lift: NDArray[np.int64] | None = None

    def start(self, integers: NDArray[np.int64], dtype: DTypeLike) -> NDArray[Any]:
        """Return what integers [K, M] stand for, rounded once."""
        wide: Any = np.longdouble if dtype is np.longdouble else np.float64
        unit, offset = (each.astype(wide) for each in self._doubles)
        return (integers * unit + offset).astype(dtype)

    @cached_property
    def _doubles(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unit and offset as floats: a fraction takes its time to become one."""
        return np.array([float(each) for each in self.unit]), np.array([float(each) for each in self.offset])

    def exact(self, integer: int, channel: int) -> Fraction:
        """Return what an integer of a channel stands for."""
        return integer * self.unit[channel % len(self.unit)] + self.offset[channel % len(self.offset)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """A tensor of the file that depends on the input.

    Parameters
    ----------
    axes : Axes
    carrier : Carrier or None
        None for the graph's input in floats.
    chain : tuple of Pointwise
        Applied to what the carrier stands for.
    nodes : tuple of str
        That are in the chain, or in the carrier's layer, and not yet in the network.
    padding : (int, int, int, int)
        Numbers round it that no layer has put there yet.
    padded_with : Fraction
        Which number.
    """

    axes: Axes
    carrier: Carrier | None
    chain: tuple[Pointwise, ...] = ()
    nodes: tuple[str, ...] = ()
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    padded_with: Fraction = Fraction(0)

    def then(self, function: Pointwise, node: str) -> "Signal":
        """Return the signal after a function; Misfit if numbers round it would differ by channel."""
        number = self.padded_with
        if any(self.padding):
            x = np.array([float(number)], np.float32)
            results = function.compute(x, tuple(p.values.reshape(-1).astype(np.float32) for p in function.parameters))
            if np.any(results != results[0]):
                raise Misfit("comes after Pad, whose numbers it makes differ by channel")
            number = Fraction(float(results[0]))
        return replace(self, chain=(*self.chain, function), nodes=(*self.nodes, node), padded_with=number)

    def with_axes(self, axes: Axes, node: str) -> "Signal":
        """Return the signal with other axes over the same data."""
        return replace(self, axes=axes, nodes=(*self.nodes, node))

    def columns(self, parameters: tuple[Parameter, ...], names: Mapping[str, str]) -> tuple[NDArray[Any], ...]:
        """Return parameters [M] by the carrier's channels; [1] for a number that is the same for all."""
        result = []
        for parameter in parameters:
            if not parameter.atoms:
                result.append(parameter.values.reshape(1))
                continue
            assert self.carrier is not None
            if parameter.atoms == CARRIER:
                result.append(parameter.values)
                continue
            lift = self.carrier.lift
            count = self.carrier.channels if lift is None else int(lift.max()) + 1
            values = parameter.channels(names, count)
            result.append(values if lift is None else values[lift])
        return tuple(result)

    def evaluate(
        self, x: NDArray[Any], names: Mapping[str, str], functions: tuple[Pointwise, ...] | None = None
    ) -> NDArray[Any]:
        """Return the chain of numbers [K, M], in their type."""
        for function in self.chain if functions is None else functions:
            parameters = tuple(p.astype(x.dtype) for p in self.columns(function.parameters, names))
            x = function.compute(x, parameters)
        return x

    def exact(self, x: Fraction, channel: int, columns: list[tuple[list[Fraction], ...]]) -> Fraction:
        """Return the chain of one number; ``columns`` as :meth:`fractions` gives them."""
        for function, parameters in zip(self.chain, columns, strict=True):
            x = function.exact(x, tuple(p[channel % len(p)] for p in parameters))
        return x

    def fractions(self, names: Mapping[str, str]) -> list[tuple[list[Fraction], ...]]:
        """Return the parameters of every function of the chain, exactly."""
        return [
            tuple([Fraction(float(each)) for each in column] for column in self.columns(function.parameters, names))
            for function in self.chain
        ]

    def pinned(self, names: Mapping[str, str]) -> tuple[Pointwise, ...]:
        """Return the chain with parameters by the carrier's channels, so that channels may move after it."""
        return tuple(self._pinned(function, names) for function in self.chain)

    def _pinned(self, function: Pointwise, names: Mapping[str, str]) -> Pointwise:
        parts = {f.name: getattr(function, f.name) for f in fields(function)}  # type: ignore[arg-type]
        for name, part in parts.items():
            if isinstance(part, Parameter) and part.atoms:
                parts[name] = Parameter(CARRIER, self.columns((part,), names)[0])
            elif isinstance(part, tuple):
                parts[name] = tuple(self._pinned(p, names) if isinstance(p, Pointwise) else p for p in part)
        return type(function)(**parts)

    def affine(self, names: Mapping[str, str]) -> tuple[Numbers, Numbers] | None:
        """Return (unit, offset) of the carrier's integers after the chain, if all of it is affine."""
        assert self.carrier is not None
        units, offsets = list(self.carrier.unit), list(self.carrier.offset)
        for function, parameters in zip(self.chain, self.fractions(names), strict=True):
            count = max([len(units), len(offsets), *(len(p) for p in parameters)])
            next_units, next_offsets = [], []
            for channel in range(count):
                both = function.affine(tuple(p[channel % len(p)] for p in parameters))
                if both is None:
                    return None
                next_units.append(both[0] * units[channel % len(units)])
                next_offsets.append(both[0] * offsets[channel % len(offsets)] + both[1])
            units, offsets = next_units, next_offsets
        return shortest(units), shortest(offsets)


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """Channels side by side that are not yet codes of one kind: what comes next is done to each part by itself.

    Parameters
    ----------
    parts : tuple of Signal
    axis : int
        Of the file, along which they stand.
    """

    parts: tuple[Signal, ...]
    axis: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the parts, along the axis."""
        return tuple(part.axes.shape[self.axis] for part in self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole."""
        shape = self.parts[0].axes.shape
        return (*shape[: self.axis], sum(self.sizes), *shape[self.axis + 1 :])


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a map, as ``Im2Col`` lays them out; the MatMul that follows makes it a convolution."""

    signal: Signal
    node: Node


@dataclass(frozen=True, kw_only=True, eq=False)
class Ended:
    """A tensor of the file that the host computes.

    Parameters
    ----------
    signal : Signal
        What it starts from.
    endings : tuple of Ending
        What it does.
    shape : tuple of int
        Of the result; the batch counts as 1.
    """

    signal: Signal
    endings: tuple[Ending, ...]
    shape: tuple[int, ...]


def shortest(numbers: list[Fraction]) -> Numbers:
    """Return one number for all channels if they are equal, else all of them."""
    return (numbers[0],) if all(number == numbers[0] for number in numbers) else tuple(numbers)


def scalar(numbers: Numbers, what: str) -> Fraction:
    """Return the one number that holds for all channels; Misfit if they differ."""
    if len(numbers) != 1:
        raise Misfit(f"has {what} that differ by channel")
    return numbers[0]
