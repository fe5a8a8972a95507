"""What the host does at the end of a network, in the axes of the file: what no layer and no accelerator computes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.softmax import log_softmax, softmax

Both = tuple[NDArray[Any], NDArray[Any]]
"""Real numbers, and the codes behind them, [N, ...] of equal shape."""


class Ending(ABC):
    """One step; axes are counted with the batch, which is axis 0 and stays there."""

    op: ClassVar[str]
    """Name in files; unique."""

    _kinds: ClassVar[dict[str, type["Ending"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "op" in cls.__dict__:
            Ending._kinds[cls.op] = cls

    @abstractmethod
    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape after the step, the batch left out on both sides; RowloomError if there is none."""

    @abstractmethod
    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return real numbers and codes after the step; indices stand for both."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that ``from_json`` takes."""
        return {"op": self.op} | {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    @staticmethod
    def from_json(obj: Mapping[str, Any]) -> "Ending":
        """Return the step that a JSON object names; RowloomError if there is none."""
        arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in obj.items()}
        op = arguments.pop("op", None)
        if op not in Ending._kinds:
            raise RowloomError("output", f"has no ending {op!r}", f"must be {' or '.join(sorted(Ending._kinds))}")
        return Ending._kinds[op](**arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Softmax(Ending):
    """exp(x) / sum(exp(x)) over one or several axes taken together, or its logarithm; codes stay as they are."""

    op = "softmax"

    axes: tuple[int, ...]
    log: bool = False

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        for axis in self.axes:
            _check_axis(self.op, axis, shape)
        return shape

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return float32, computed in float64."""
        last = tuple(range(-len(self.axes), 0))
        moved = np.moveaxis(real.astype(np.float64), self.axes, last)
        flat = moved.reshape(*moved.shape[: moved.ndim - len(self.axes)], -1)
        result = (log_softmax if self.log else softmax)(flat).reshape(moved.shape)
        return np.moveaxis(result, last, self.axes).astype(np.float32), codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Greatest(Ending):
    """The index of the greatest number along an axis, or of the least; of equals the first, or the last."""

    op = "greatest"

    axis: int
    kept: bool = True
    least: bool = False
    last: bool = False

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with the axis of size 1, or without it."""
        _check_axis(self.op, self.axis, shape)
        return (*shape[: self.axis - 1], *((1,) if self.kept else ()), *shape[self.axis :])

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return int64."""
        x = -real if self.least else real
        if self.last:
            index = x.shape[self.axis] - 1 - np.flip(x, self.axis).argmax(axis=self.axis)
        else:
            index = x.argmax(axis=self.axis)
        index = np.expand_dims(index, self.axis) if self.kept else index
        return index, index


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK(Ending):
    """The greatest numbers along an axis, falling, or the least, rising; of equals the first comes first.

    Parameters
    ----------
    axis, count : int
    least : bool
    indices : bool
        Whether their places are given, else they themselves.
    """

    op = "top_k"

    axis: int
    count: int
    least: bool = False
    indices: bool = False

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with ``count`` along the axis."""
        _check_axis(self.op, self.axis, shape)
        if type(self.count) is not int or not 1 <= self.count <= shape[self.axis - 1]:
            raise RowloomError(self.op, f"takes {self.count} of {shape[self.axis - 1]} numbers")
        return (*shape[: self.axis - 1], self.count, *shape[self.axis :])

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return numbers and codes, or int64."""
        order = np.argsort(real if self.least else -real, axis=self.axis, kind="stable")
        order = np.take(order, range(self.count), axis=self.axis)
        if self.indices:
            return order, order
        return np.take_along_axis(real, order, self.axis), np.take_along_axis(codes, order, self.axis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape(Ending):
    """The same numbers in another shape, which does not count the batch."""

    op = "reshape"

    sizes: tuple[int, ...]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sizes."""
        if any(type(size) is not int or size < 0 for size in self.sizes) or math.prod(self.sizes) != math.prod(shape):
            raise RowloomError(self.op, f"makes {self.sizes} of {shape}")
        return self.sizes

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return both in that shape."""
        return real.reshape(len(real), *self.sizes), codes.reshape(len(codes), *self.sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(Ending):
    """Axes in another order."""

    op = "transpose"

    order: tuple[int, ...]

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sizes in that order."""
        if sorted(self.order) != list(range(1, len(shape) + 1)):
            raise RowloomError(self.op, f"permutes {len(shape)} axes by {self.order}")
        return tuple(shape[axis - 1] for axis in self.order)

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return both in that order."""
        return real.transpose(0, *self.order), codes.transpose(0, *self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantize(Ending):
    """clip(round(x / scale) + zero point), ties to even, in float32; with ``reciprocal`` x * (1 / scale), as torch."""

    op = "quantize"

    scale: float
    zero_point: int
    low: int
    high: int
    reciprocal: bool = False

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        if not 0 < self.scale < float("inf") or not self.low < self.high or abs(self.zero_point) >= 1 << 31:
            raise RowloomError(self.op, f"has a scale of {self.scale} and integers from {self.low} to {self.high}")
        return shape

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return the codes, for both."""
        x = real.astype(np.float32)
        y = x * np.float32(1 / self.scale) if self.reciprocal else x / np.float32(self.scale)
        result = np.clip(np.round(y) + self.zero_point, self.low, self.high).astype(np.int64)
        return result, result


@dataclass(frozen=True, slots=True, kw_only=True)
class Dequantize(Ending):
    """(code - zero point) * scale, in float32; codes stay as they are."""

    op = "dequantize"

    scale: float
    zero_point: int

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        if not 0 < self.scale < float("inf") or abs(self.zero_point) >= 1 << 31:
            raise RowloomError(self.op, f"has a scale of {self.scale} and a zero point of {self.zero_point}")
        return shape

    def apply(self, real: NDArray[Any], codes: NDArray[Any]) -> Both:
        """Return the real numbers."""
        return (real - self.zero_point).astype(np.float32) * np.float32(self.scale), codes


def _check_axis(op: str, axis: int, shape: tuple[int, ...]) -> None:
    if type(axis) is not int or not 1 <= axis <= len(shape):
        raise RowloomError(op, f"runs along axis {axis!r} of {len(shape) + 1}")
