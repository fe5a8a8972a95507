"""A TFLite file as plain records, every size checked against what the file really holds."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError

IDENTIFIER = b"TFL3"
"""What stands at byte 4 of every TFLite file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """real = scale * (code - zero point), per tensor or along an axis."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileTensor:
    """A tensor of the file; ``data`` is None if the network computes it; ``open`` are axes of any size."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    data: NDArray[Any] | None
    quantization: Quantization | None
    open: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """An operator of the file: indices of tensors (-1: left out), and its options by name."""

    position: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return f"operator {self.position} ({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class File:
    """The one graph of a file."""

    description: str
    tensors: tuple[FileTensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


_WINDOW = ("Padding", "StrideH", "StrideW")
_DILATED = (*_WINDOW, "DilationHFactor", "DilationWFactor", "FusedActivationFunction")
_POOL = (*_WINDOW, "FilterHeight", "FilterWidth", "FusedActivationFunction")
_REDUCER = ("ReducerOptions", ("KeepDims",))

# The options that matter, by operator: their table's class and its fields; a list's name ends in AsNumpy.
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", _DILATED),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_DILATED, "DepthMultiplier")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat", "KeepNumDims")),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "PACK": ("PackOptions", ("Axis",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask")),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "RESHAPE": ("ReshapeOptions", ("NewShapeAsNumpy",)),
    "SQUEEZE": ("SqueezeOptions", ("SqueezeDimsAsNumpy",)),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", ("AlignCorners", "HalfPixelCenters")),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
}

_TYPES: dict[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"),
    "INT32": np.dtype("<i4"),
    "UINT8": np.dtype("u1"),
    "INT64": np.dtype("<i8"),
    "BOOL": np.dtype("?"),
    "INT16": np.dtype("<i2"),
    "INT8": np.dtype("i1"),
}

_CORRUPT = (struct.error, IndexError, ValueError, TypeError, AttributeError, OverflowError, KeyError, MemoryError)


def read(name: str, content: bytes) -> File:
    """Read a file.

    Raises
    ------
    RowloomError
        If it is truncated, has no or several graphs, or claims sizes that it does not hold.
    """
    if content[4:8] != IDENTIFIER:
        raise RowloomError(name, "is not a TFLite file")
    try:
        model = tflite.Model.GetRootAsModel(content, 0)
        if model.SubgraphsLength() != 1:
            raise RowloomError(name, f"has {model.SubgraphsLength()} graphs", "need one, without control flow")
        graph = model.Subgraphs(0)
        _check_count(name, "tensors", graph.TensorsLength(), len(content))
        _check_count(name, "operators", graph.OperatorsLength(), len(content))
        tensors = tuple(_tensor(name, model, graph.Tensors(i), i) for i in range(graph.TensorsLength()))
        operators = tuple(_operator(name, model, graph.Operators(i), i) for i in range(graph.OperatorsLength()))
        file = File(
            description=(model.Description() or b"").decode("utf-8", "replace"),
            tensors=tensors,
            operators=operators,
            inputs=_indices(graph.InputsAsNumpy()),
            outputs=_indices(graph.OutputsAsNumpy()),
        )
    except RowloomError:
        raise
    except _CORRUPT:
        raise RowloomError(name, "is truncated or damaged", "need a whole TFLite file") from None
    for indices in (file.inputs, file.outputs, *(o.inputs for o in operators), *(o.outputs for o in operators)):
        if any(not -1 <= index < len(tensors) for index in indices):
            raise RowloomError(name, "is damaged: an operator uses a tensor that is not there", "need a whole file")
    return file


def _check_count(name: str, what: str, count: int, size: int) -> None:
    """Each entry takes at least four bytes, so that a greater count is a lie."""
    if count * 4 > size:
        raise RowloomError(name, f"claims {count} {what} in {size} bytes", "need a whole TFLite file")


def _indices(array: Any) -> tuple[int, ...]:
    return () if isinstance(array, int) else tuple(int(index) for index in array)


def _names(enumeration: type) -> dict[int, str]:
    return {value: key for key, value in vars(enumeration).items() if isinstance(value, int)}


_TYPE_NAMES = _names(tflite.TensorType)
_OPERATOR_NAMES = _names(tflite.BuiltinOperator)
_OPTION_NAMES = _names(tflite.BuiltinOptions)


def _tensor(file: str, model: Any, record: Any, index: int) -> FileTensor:
    name = (record.Name() or b"").decode("utf-8", "replace") or f"tensor {index}"
    shape = tuple(int(size) for size in record.ShapeAsNumpy()) if record.ShapeLength() else ()
    if any(size < 0 for size in shape):
        raise RowloomError(file, f"tensor {name} has shape {shape}", "need sizes that are known")
    kind = _TYPE_NAMES.get(record.Type(), f"type {record.Type()}")
    if record.IsVariable():
        raise RowloomError(file, f"tensor {name} is a variable", "need a network without a state")
    if record.Sparsity() is not None:
        raise RowloomError(file, f"tensor {name} is stored sparsely", "need dense weights")
    data = None
    if not 0 <= record.Buffer() < max(model.BuffersLength(), 1):
        raise RowloomError(file, f"tensor {name} is in buffer {record.Buffer()}, which is not there")
    buffer = model.Buffers(record.Buffer()) if model.BuffersLength() else None
    if buffer is not None and record.Buffer() and buffer.DataLength():
        data = _data(file, name, kind, shape, buffer.DataAsNumpy())
    return FileTensor(
        index=index,
        name=name,
        type=kind,
        shape=shape,
        data=data,
        quantization=_quantization(file, name, record.Quantization()),
        open=tuple(int(size) < 0 for size in record.ShapeSignatureAsNumpy()) if record.ShapeSignatureLength() else (),
    )


def _data(file: str, name: str, kind: str, shape: tuple[int, ...], raw: NDArray[np.uint8]) -> NDArray[Any] | None:
    count = math.prod(shape)
    if kind == "INT4":
        if len(raw) != (count + 1) // 2:
            raise RowloomError(file, f"tensor {name} of shape {shape} has {len(raw)} bytes", "sizes must agree")
        nibbles = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
        return np.where(nibbles > 7, nibbles - 16, nibbles).reshape(shape)
    if kind not in _TYPES:
        return None
    if len(raw) != count * _TYPES[kind].itemsize:
        raise RowloomError(file, f"tensor {name} of shape {shape} has {len(raw)} bytes", "sizes must agree")
    return np.frombuffer(raw.tobytes(), _TYPES[kind]).reshape(shape)


def _quantization(file: str, name: str, record: Any) -> Quantization | None:
    if record is None or not record.ScaleLength():
        return None
    scales = np.array(record.ScaleAsNumpy(), dtype=np.float32)
    zero_points = (
        np.array(record.ZeroPointAsNumpy(), dtype=np.int64) if record.ZeroPointLength() else np.zeros(1, np.int64)
    )
    if len(zero_points) not in (1, len(scales)):
        raise RowloomError(file, f"tensor {name} has {len(scales)} scales and {len(zero_points)} zero points")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise RowloomError(file, f"tensor {name} has a scale of {scales.min()}", "need positive scales")
    return Quantization(
        scales=scales, zero_points=np.broadcast_to(zero_points, scales.shape), axis=record.QuantizedDimension()
    )


def _wide_code(code: Any) -> int:
    """Return the newer field of an operator's code: the reader of the schema shows it from 127 on only."""
    table = code._tab
    place = table.Pos + table.Offset(10)
    return int.from_bytes(table.Bytes[place : place + 4], "little", signed=True) if table.Offset(10) else 0


def _operator(file: str, model: Any, record: Any, position: int) -> Operator:
    if not 0 <= record.OpcodeIndex() < model.OperatorCodesLength():
        raise RowloomError(file, f"operator {position} is of a kind that is not there", "need a whole TFLite file")
    code = model.OperatorCodes(record.OpcodeIndex())
    number = max(_wide_code(code), code.DeprecatedBuiltinCode())
    kind = _OPERATOR_NAMES.get(number, f"operator code {number}")
    if kind == "CUSTOM":
        kind = f"CUSTOM {(code.CustomCode() or b'').decode('utf-8', 'replace')}"
    options: dict[str, Any] = {}
    if kind in _OPTIONS:
        table, names = _OPTIONS[kind]
        options_class = getattr(tflite, table)
        reader = options_class()
        raw = record.BuiltinOptions()
        if raw is not None and _OPTION_NAMES.get(record.BuiltinOptionsType()) == table:
            reader.Init(raw.Bytes, raw.Pos)
            for name in names:
                found = getattr(reader, name)()
                options[name.removesuffix("AsNumpy")] = _indices(found) if name.endswith("AsNumpy") else found
    return Operator(
        position=position,
        kind=kind,
        inputs=_indices(record.InputsAsNumpy()),
        outputs=_indices(record.OutputsAsNumpy()),
        options=options,
    )
