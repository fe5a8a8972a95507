"""Constants: weights with the integers behind them, and nodes that can be computed beforehand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.reader import NARROW, Node

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

MOST_ELEMENTS = 1 << 26
"""Of a constant that is computed."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Integers behind real numbers: data = values * scale.

    Parameters
    ----------
    values : int64, of the shape of the data
    scale : float32, broadcasts against it
    encoding : Encoding or None
        That the file gives the integers.
    """

    values: NDArray[np.int64]
    scale: NDArray[np.float32]
    encoding: Encoding | None


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers of the file, or computed from them; ``bits`` of an integer type that is narrower than a byte."""

    data: NDArray[Any]
    grid: Grid | None = None
    bits: int | None = None

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Constant":
        """Return a constant, its narrow integers in bytes."""
        bits = NARROW.get(array.dtype.name)
        if bits is None:
            return cls(array)
        return cls(array.astype(np.uint8 if array.dtype.name.startswith("u") else np.int8), bits=bits)


Compute = Callable[[Node, list[NDArray[Any]]], Any]


def _axes(node: Node, inputs: list[NDArray[Any]], rank: int) -> list[int]:
    axes = node.attributes.get("axes") if "axes" in node.attributes else inputs[1].tolist() if len(inputs) > 1 else None
    if axes is None:
        return [axis for axis in range(rank) if inputs[0].shape[axis] == 1]
    return [int(axis) for axis in axes]


def _unsqueeze(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    axes = _axes(node, inputs, inputs[0].ndim)
    rank = inputs[0].ndim + len(axes)
    return np.expand_dims(inputs[0], tuple(axis % rank for axis in axes))


def _reshape(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    wanted = [int(size) for size in inputs[1].reshape(-1)]
    if not node.attributes.get("allowzero", 0):
        wanted = [inputs[0].shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return inputs[0].reshape(wanted)


def _flatten(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    axis = node.attributes.get("axis", 1)
    return inputs[0].reshape(math.prod(inputs[0].shape[:axis]), -1)


def _slice(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    if "starts" in node.attributes:
        starts, ends = node.attributes["starts"], node.attributes["ends"]
        axes, steps = node.attributes.get("axes", list(range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = inputs[1].tolist(), inputs[2].tolist()
        axes = inputs[3].tolist() if len(inputs) > 3 else list(range(len(starts)))
        steps = inputs[4].tolist() if len(inputs) > 4 else [1] * len(starts)
    where = [slice(None)] * inputs[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        where[axis] = slice(start, None if step < 0 and end < -inputs[0].shape[axis] else end, step)
    return inputs[0][tuple(where)]


_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64}


def _cast(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    if node.attributes.get("to") not in _TYPES:
        raise Misfit(f"casts to element type {node.attributes.get('to')}")
    return inputs[0].astype(_TYPES[node.attributes["to"]])


def _constant(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return value
        if name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
        if name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
    raise Misfit("holds no numbers")


def _filled(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    shape = [int(size) for size in inputs[0].reshape(-1)]
    _check_size(shape)
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return np.full(shape, np.asarray(value).reshape(-1)[0])


def _expand(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    wanted = [int(size) for size in inputs[1].reshape(-1)]
    _check_size(wanted)
    return np.array(np.broadcast_to(inputs[0], np.broadcast_shapes(inputs[0].shape, tuple(wanted))))


def _tile(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    times = [int(each) for each in inputs[1].reshape(-1)]
    _check_size([size * n for size, n in zip(inputs[0].shape, times, strict=True)])
    return np.tile(inputs[0], times)


def _check_size(shape: Sequence[int]) -> None:
    if any(size < 0 for size in shape) or math.prod(shape) > MOST_ELEMENTS:
        raise Misfit(f"makes a constant of shape {list(shape)}, where {MOST_ELEMENTS} elements is the most")


def _clip(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    low = inputs[1] if len(inputs) > 1 else node.attributes.get("min", -np.inf)
    high = inputs[2] if len(inputs) > 2 else node.attributes.get("max", np.inf)
    return np.clip(inputs[0], low, high).astype(inputs[0].dtype)


def _divide(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    a, b = inputs
    return a / b if a.dtype.kind == "f" else (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)


_ELEMENTWISE: dict[str, Compute] = {
    "Abs": lambda node, x: np.abs(x[0]),
    "Add": lambda node, x: x[0] + x[1],
    "Ceil": lambda node, x: np.ceil(x[0]),
    "Clip": _clip,
    "Div": _divide,
    "Exp": lambda node, x: np.exp(x[0]),
    "Floor": lambda node, x: np.floor(x[0]),
    "Log": lambda node, x: np.log(x[0]),
    "Max": lambda node, x: np.maximum(x[0], x[1]),
    "Min": lambda node, x: np.minimum(x[0], x[1]),
    "Mul": lambda node, x: x[0] * x[1],
    "Neg": lambda node, x: -x[0],
    "Pow": lambda node, x: np.power(x[0], x[1].astype(x[0].dtype)),
    "Reciprocal": lambda node, x: 1 / x[0],
    "Relu": lambda node, x: np.maximum(x[0], 0),
    "Round": lambda node, x: np.round(x[0]),
    "Sign": lambda node, x: np.sign(x[0]),
    "Sqrt": lambda node, x: np.sqrt(x[0]),
    "Sub": lambda node, x: x[0] - x[1],
    "Equal": lambda node, x: np.equal(x[0], x[1]),
    "Where": lambda node, x: np.where(x[0], x[1], x[2]),
}

_OTHERS: dict[str, Compute] = {
    "Cast": _cast,
    "CastLike": lambda node, x: x[0].astype(x[1].dtype),
    "Concat": lambda node, x: np.concatenate(x, axis=node.attributes["axis"]),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Gather": lambda node, x: np.take(x[0], x[1], axis=node.attributes.get("axis", 0)),
    "Shape": lambda node, x: x[0][node.attributes.get("start", 0) : node.attributes.get("end")],
    "Size": lambda node, x: np.array(math.prod(x[0].tolist()), np.int64),
    "Slice": _slice,
    "Tile": _tile,
}

_MOVES: dict[str, Compute] = {
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": lambda node, x: x[0],
    "Reshape": _reshape,
    "Squeeze": lambda node, x: np.squeeze(x[0], tuple(_axes(node, x, x[0].ndim))),
    "Transpose": lambda node, x: x[0].transpose(node.attributes.get("perm")),
    "Unsqueeze": _unsqueeze,
}
"""What moves numbers without changing them, and so keeps the integers behind them."""


def moved_constant(node: Node, arrays: list[NDArray[Any]]) -> NDArray[Any]:
    """Return what a node makes of numbers that it only moves; Misfit if it cannot."""
    try:
        return np.asarray(_MOVES[node.kind](node, arrays))
    except (ValueError, IndexError, TypeError) as error:
        raise Misfit(f"cannot be computed beforehand: {' '.join(str(error).split())}") from None


def fold(importer: "Importer", node: Node, inputs: list[Constant | None]) -> list[Constant]:
    """Return the outputs of a node whose inputs are constant.

    Raises
    ------
    Misfit
        If it is of a kind that is not known here, or its inputs make no sense.
    """
    from rowloom.model.formats.onnx.operators import constant_quantizer

    arrays = [value.data for value in inputs if value is not None]
    if not arrays and node.kind != "Constant":
        raise Misfit("has no input")
    if node.kind == "Shape" and isinstance(inputs[0], Constant) and node.inputs[0] in importer.values:
        value = importer.values[node.inputs[0]]
        if isinstance(value, Constant):
            arrays = [np.array(value.data.shape, np.int64)]
    quantize = constant_quantizer(node)
    try:
        with np.errstate(all="ignore"):
            if quantize is not None:
                return [quantize(importer, node, inputs)]
            if node.domain:
                raise Misfit(f"is of domain {node.domain}, which is not known")
            if node.kind in _MOVES and arrays:
                data = _MOVES[node.kind](node, arrays)
                return [Constant(data, _moved(node, inputs, arrays), inputs[0].bits if inputs[0] else None)]
            compute = _ELEMENTWISE.get(node.kind) or _OTHERS.get(node.kind)
            if compute is None:
                raise Misfit("is not supported on constants")
            if node.kind in _ELEMENTWISE and len(arrays) > 1:
                _check_size(np.broadcast_shapes(*(a.shape for a in arrays)))
            result = Constant.of(np.asarray(compute(node, arrays)))
            return [replace(result, grid=_scaled(node, inputs, result.data))]
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError) as error:
        if isinstance(error, Misfit):
            raise
        raise Misfit(f"cannot be computed beforehand: {' '.join(str(error).split())}") from None


def _moved(node: Node, inputs: list[Constant | None], arrays: list[NDArray[Any]]) -> Grid | None:
    grid = inputs[0].grid if inputs[0] is not None else None
    if grid is None:
        return None
    values = _MOVES[node.kind](node, [grid.values, *arrays[1:]])
    if grid.scale.size == 1:
        return Grid(values, grid.scale.reshape(()), grid.encoding)
    full = np.broadcast_to(grid.scale, grid.values.shape)
    return Grid(values, _MOVES[node.kind](node, [full, *arrays[1:]]), grid.encoding)


def _scaled(node: Node, inputs: list[Constant | None], data: NDArray[Any]) -> Grid | None:
    """Return the integers behind numbers that a factor was taken out of, as ExtractQuantScaleZeroPt of qonnx does."""
    if node.kind not in ("Mul", "Div") or len(inputs) != 2 or data.dtype != np.float32:
        return None
    first, second = inputs
    if first is None or second is None:
        return None
    if first.grid is None and node.kind == "Mul":
        first, second = second, first
    grid = first.grid
    if grid is None or second.grid is not None or data.shape != grid.values.shape:
        return None
    factor = second.data.astype(np.float32)
    scale = np.asarray(grid.scale * factor if node.kind == "Mul" else grid.scale / factor, np.float32)
    values = grid.values * np.where(scale < 0, -1, 1)
    scale = np.abs(scale)
    if not scale.all() or not np.allclose(values * scale.astype(np.float64), data, rtol=2.0**-22, atol=0):
        return None
    return Grid(values, scale, grid.encoding if np.array_equal(values, grid.values) else None)
