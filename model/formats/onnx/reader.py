"""An ONNX file as plain records, every size checked against what the file really holds."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from rowloom.model.errors import RowloomError

STANDARD = ("", "ai.onnx")
"""Names of the domain of ONNX's own operators."""

NARROW = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4}
"""Bits of the element types that numpy itself does not know."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """An operator of the graph; an input or output that is left out is the empty string."""

    position: int
    name: str
    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"node {self.name or self.position} ({self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Port:
    """An input or an output of the graph: None stands for a size that the file leaves open."""

    name: str
    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graph:
    """What a file holds, nodes in an order of execution."""

    producer: str
    opset: int
    domains: Mapping[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    constants: Mapping[str, NDArray[Any]]
    nodes: tuple[Node, ...]


INTEGER, INTEGERS = (onnx.AttributeProto.INT,), (onnx.AttributeProto.INTS,)
FLOAT, STRING = (onnx.AttributeProto.FLOAT, onnx.AttributeProto.INT), (onnx.AttributeProto.STRING,)

KINDS = {
    **dict.fromkeys(("allowzero", "axis", "blocksize", "ceil_mode", "count_include_pad", "depthwise"), INTEGER),
    **dict.fromkeys(("group", "ibits", "k", "keepdims", "kernel", "largest", "narrow", "obits", "pad_value"), INTEGER),
    **dict.fromkeys(("saturation", "select_last_index", "signed", "sorted", "to", "transA", "transB"), INTEGER),
    **dict.fromkeys(("training_mode", "is_test", "output_dtype", "block_size"), INTEGER),
    **dict.fromkeys(
        ("axes", "dilations", "kernel_shape", "kernel_size", "pad_amount", "pads", "perm", "strides"), INTEGERS
    ),
    **dict.fromkeys(("alpha", "beta", "epsilon", "gamma", "max", "min", "out_bias", "out_scale"), FLOAT),
    **dict.fromkeys(("auto_pad", "coordinate_transformation_mode", "data_layout", "mode", "nearest_mode"), STRING),
    "rounding_mode": STRING,
}
"""Kinds of attributes by name, where all operators agree."""

FLAGS = ("ceil_mode", "count_include_pad", "keepdims", "largest", "select_last_index", "sorted", "transA", "transB")
"""Attributes that are 0 or 1."""


def read(name: str, content: bytes) -> Graph:
    """Read a file.

    Raises
    ------
    RowloomError
        If it is truncated or no ONNX file, keeps its weights elsewhere, or claims sizes that it does not hold.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, ValueError, RecursionError):
        raise RowloomError(name, "is truncated or not an ONNX file", "need a whole file") from None
    if not model.HasField("graph") or not model.graph.node:
        raise RowloomError(name, "is no ONNX file with a graph of nodes", "need a whole file")
    if model.functions:
        model = _inlined(name, model)
    graph = model.graph
    if graph.sparse_initializer:
        raise RowloomError(name, "stores weights sparsely", "need dense weights")
    constants: dict[str, NDArray[Any]] = {}
    for tensor in graph.initializer:
        if tensor.name in constants:
            raise RowloomError(f"{name}: {tensor.name}", "is stored twice", "need names of its own")
        constants[tensor.name] = _array(f"{name}: {tensor.name}", tensor)
    nodes = []
    for position, node in enumerate(graph.node):
        record = Node(
            position=position,
            name=node.name,
            kind=node.op_type,
            domain="" if node.domain in STANDARD else node.domain,
            inputs=tuple(node.input),
            outputs=tuple(node.output),
            attributes={},
        )
        attributes = {a.name: _attribute(f"{name}: {record}", a) for a in node.attribute}
        nodes.append(_with(record, attributes))
    domains = {each.domain: each.version for each in model.opset_import}
    return Graph(
        producer=" ".join(part for part in (model.producer_name, model.producer_version) if part),
        opset=next((domains[domain] for domain in STANDARD if domain in domains), 1),
        domains=domains,
        inputs=tuple(_port(name, value) for value in graph.input if value.name not in constants),
        outputs=tuple(_port(name, value) for value in graph.output),
        constants=constants,
        nodes=tuple(_sorted(name, nodes, {*constants, *(value.name for value in graph.input)})),
    )


def _with(node: Node, attributes: Mapping[str, Any]) -> Node:
    return Node(
        position=node.position,
        name=node.name,
        kind=node.kind,
        domain=node.domain,
        inputs=node.inputs,
        outputs=node.outputs,
        attributes=attributes,
    )


def _inlined(name: str, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its functions put in the place of their calls."""
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except Exception as error:
        raise RowloomError(name, f"has functions that cannot be expanded: {' '.join(str(error).split())}") from None


def _sorted(name: str, nodes: list[Node], ready: set[str]) -> Iterator[Node]:
    """Yield nodes so that each comes after those that it reads; no tensor is written twice."""
    writers: dict[str, Node | None] = dict.fromkeys(ready)
    for node in nodes:
        for output in filter(None, node.outputs):
            if output in writers:
                other = writers[output]
                before = "is stored in the file" if other is None else f"{other} writes"
                raise RowloomError(f"{name}: {node}", f"writes {output!r}, which {before}", "need names of its own")
            writers[output] = node
    ready = {"", *ready}
    waiting = nodes
    while waiting:
        late = []
        for node in waiting:
            if ready.issuperset(node.inputs):
                ready.update(node.outputs)
                yield node
            else:
                late.append(node)
        if len(late) == len(waiting):
            missing = next(each for each in late[0].inputs if each not in ready)
            raise RowloomError(
                f"{name}: {late[0]}", f"reads {missing!r}, which nothing computes before", "need a graph without cycles"
            )
        waiting = late


def _array(subject: str, tensor: TensorProto) -> NDArray[Any]:
    if tensor.data_location == TensorProto.EXTERNAL:
        raise RowloomError(subject, "is stored in another file", "need weights inside the file")
    if any(size < 0 for size in tensor.dims):
        raise RowloomError(subject, f"has a shape of {list(tensor.dims)}", "need sizes from 0 on")
    held = len(tensor.raw_data) * 2 + len(tensor.float_data) + len(tensor.int32_data) * 8
    held += len(tensor.int64_data) + len(tensor.double_data) + len(tensor.uint64_data) + len(tensor.string_data)
    if math.prod(tensor.dims) > held:
        raise RowloomError(
            subject, f"claims {'x'.join(map(str, tensor.dims))} elements that are not in the file", "need a whole file"
        )
    try:
        array = numpy_helper.to_array(tensor)
    except Exception:
        raise RowloomError(
            subject, "holds data that does not agree with its shape and type", "need a whole file"
        ) from None
    if array.dtype.name in ("float16", "bfloat16"):
        return array.astype(np.float32)
    if array.dtype.name in NARROW:
        return np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise RowloomError(subject, f"holds {array.dtype}", "need numbers")
    return np.asarray(array)


def _attribute(subject: str, attribute: onnx.AttributeProto) -> Any:
    kind = attribute.type
    if kind not in KINDS.get(attribute.name, (kind,)):
        wanted = onnx.AttributeProto.AttributeType.Name(KINDS[attribute.name][0])
        raise RowloomError(subject, f"attribute {attribute.name} is of another kind", f"need {wanted}")
    if attribute.name in FLAGS and attribute.i not in (0, 1):
        raise RowloomError(subject, f"attribute {attribute.name} is {attribute.i}", "need 0 or 1")
    if kind == onnx.AttributeProto.TENSOR:
        return _array(subject, attribute.t)
    if kind == onnx.AttributeProto.STRING:
        return attribute.s.decode("utf-8", "replace")
    if kind == onnx.AttributeProto.FLOAT:
        return float(attribute.f)
    if kind == onnx.AttributeProto.INT:
        return int(attribute.i)
    if kind == onnx.AttributeProto.FLOATS:
        return [float(each) for each in attribute.floats]
    if kind == onnx.AttributeProto.INTS:
        return [int(each) for each in attribute.ints]
    if kind == onnx.AttributeProto.STRINGS:
        return [each.decode("utf-8", "replace") for each in attribute.strings]
    if kind in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
        raise RowloomError(subject, "holds a graph of its own", "need a network without control flow")
    raise RowloomError(subject, f"attribute {attribute.name} is of an unknown kind", "need numbers or strings")


def _port(name: str, value: onnx.ValueInfoProto) -> Port:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise RowloomError(f"{name}: {value.name}", "is no tensor", "need tensors in and out")
    try:
        element = TensorProto.DataType.Name(kind.elem_type)
    except ValueError:
        raise RowloomError(
            f"{name}: {value.name}", f"has element type {kind.elem_type}", "need floats or integers"
        ) from None
    shape = tuple(each.dim_value if each.HasField("dim_value") else None for each in kind.shape.dim)
    return Port(name=value.name, type=element, shape=shape)
