"""A PT2E-quantized module as ``torch.export`` gives it, read as a graph of the kind that ONNX files hold.

torch itself is not imported: an exported program brings all that is asked of it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.formats.builder import Imported
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.linear_quant import DECOMPOSED
from rowloom.model.formats.onnx.reader import Graph, Node, Port

OPSET = 13
"""Whose meaning of nodes the graph has."""


def from_exported(program: Any, name: str = "network") -> Imported:
    """Import an exported program whose module ``convert_pt2e`` made.

    Parameters
    ----------
    program : torch.export.ExportedProgram
    name : str
        Of the network.

    Raises
    ------
    RowloomError
        If it is no such program, or holds what is not supported.
    """
    if not hasattr(program, "graph_signature") or not hasattr(program, "graph"):
        raise RowloomError(name, f"is a {type(program).__name__}", "need the ExportedProgram of torch.export.export")
    return Importer(name, name, _Reader(name, program).graph()).run()


class _Reader:
    """Turns the nodes of a program into those of a graph."""

    def __init__(self, subject: str, program: Any) -> None:
        self.subject = subject
        self.program = program
        self.constants: dict[str, NDArray[Any]] = {}
        self.nodes: list[Node] = []
        self.inputs: list[Port] = []

    def graph(self) -> Graph:
        signature = self.program.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        values = {**dict(self.program.named_parameters()), **dict(self.program.named_buffers())}
        values |= self.program.constants
        held |= getattr(signature, "inputs_to_lifted_tensor_constants", {})
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                if node.name in held:
                    self.constants[node.name] = values[held[node.name]].detach().cpu().numpy()
                else:
                    shape = tuple(size if isinstance(size, int) else None for size in node.meta["val"].shape)
                    self.inputs.append(Port(name=node.name, type="FLOAT", shape=shape))
            elif node.op == "call_function":
                self.call(node)
        outputs = tuple(Port(name=each, type="FLOAT", shape=()) for each in signature.user_outputs)
        return Graph(
            producer="torch.export",
            opset=OPSET,
            domains={"": OPSET},
            inputs=tuple(self.inputs),
            outputs=outputs,
            constants=self.constants,
            nodes=tuple(self.nodes),
        )

    def add(self, node: Any, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> None:
        self.nodes.append(
            Node(
                position=len(self.nodes),
                name=node.name,
                kind=kind,
                domain=domain,
                inputs=inputs,
                outputs=(node.name,),
                attributes=attributes,
            )
        )

    def constant(self, node: Any, what: str, values: Any, dtype: Any) -> str:
        name = f"{node.name}.{what}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def call(self, node: Any) -> None:
        """Append what a call of an operator is."""
        kind = str(node.target).rpartition(".")[0] if "default" in str(node.target) else str(node.target)
        write = _CALLS.get(kind.removeprefix("torch.ops."))
        if write is None:
            known = ", ".join(sorted(_CALLS))
            raise RowloomError(
                f"{self.subject}: node {node.name} ({kind})", "operator is not supported", f"supported: {known}"
            )
        arguments = [getattr(each, "name", each) for each in node.args]
        write(self, node, arguments, dict(node.kwargs))


Arguments = list[Any]
Keywords = Mapping[str, Any]


def _get(arguments: Arguments, place: int, default: Any) -> Any:
    return arguments[place] if place < len(arguments) and arguments[place] is not None else default


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))


def _quantize(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    x, scale, point, low, high = arguments[:5]
    reader.add(
        *(node, "Quantize", x),
        domain=DECOMPOSED,
        scale=float(scale),
        zero_point=int(point),
        low=int(low),
        high=int(high),
    )


def _dequantize(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    x, scale, point, low, high = arguments[:5]
    # Codes beyond 8 bits keep their zero point in a wider integer.
    dtype = np.int8 if low >= -128 and high <= 127 else np.uint8 if low >= 0 and high <= 255 else np.int16
    scales = reader.constant(node, "scale", scale, np.float32)
    reader.add(node, "DequantizeLinear", x, scales, reader.constant(node, "zero_point", point, dtype))


def _dequantize_channels(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    x, scales, points, axis = arguments[:4]
    reader.constants[scales] = reader.constants[scales].astype(np.float32)
    reader.add(node, "DequantizeLinear", x, scales, points, axis=int(axis))


def _conv(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    inputs = [arguments[0], arguments[1], *([arguments[2]] if _get(arguments, 2, None) else [])]
    top, left = _pair(_get(arguments, 4, 0))
    reader.add(
        *(node, "Conv", *inputs),
        strides=_pair(_get(arguments, 3, 1)),
        pads=[top, left, top, left],
        dilations=_pair(_get(arguments, 5, 1)),
        group=_get(arguments, 6, 1),
    )


def _linear(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    inputs = [arguments[0], arguments[1], *([arguments[2]] if _get(arguments, 2, None) else [])]
    reader.add(node, "Gemm", *inputs, transB=1)


def _max_pool(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    top, left = _pair(_get(arguments, 3, 0))
    kernel = _pair(arguments[1])
    reader.add(
        *(node, "MaxPool", arguments[0]),
        kernel_shape=kernel,
        strides=_pair(_get(arguments, 2, None) or kernel),
        pads=[top, left, top, left],
        dilations=_pair(_get(arguments, 4, 1)),
        ceil_mode=int(_get(arguments, 5, False)),
    )


def _average_pool(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    top, left = _pair(_get(arguments, 3, 0))
    kernel = _pair(arguments[1])
    reader.add(
        *(node, "AveragePool", arguments[0]),
        kernel_shape=kernel,
        strides=_pair(_get(arguments, 2, None) or kernel),
        pads=[top, left, top, left],
        ceil_mode=int(_get(arguments, 4, False)),
        count_include_pad=int(_get(arguments, 5, True)),
    )


def _global_average(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    if _pair(arguments[1]) != [1, 1]:
        raise RowloomError(f"{reader.subject}: node {node.name}", f"averages to {arguments[1]}", "need 1 x 1")
    reader.add(node, "GlobalAveragePool", arguments[0])


def _mean(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    reader.add(node, "ReduceMean", arguments[0], axes=list(arguments[1]), keepdims=int(_get(arguments, 2, False)))


def _add(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    if keywords.get("alpha", 1) != 1:
        raise RowloomError(f"{reader.subject}: node {node.name}", "has an alpha", "need none")
    other = arguments[1]
    if not isinstance(other, str):
        other = reader.constant(node, "other", other, np.float32)
    reader.add(node, "Add", arguments[0], other)


def _concat(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    reader.add(node, "Concat", *(each.name for each in arguments[0]), axis=_get(arguments, 1, 0))


def _clip(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    six = "relu6" in str(node.target)
    low, high = (0.0, 6.0) if six else (_get(arguments, 1, -1.0), _get(arguments, 2, 1.0))
    reader.add(node, "Clip", arguments[0], min=float(low), max=float(high))


def _flatten(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    if _get(arguments, 1, 0) != 1 or _get(arguments, 2, -1) != -1:
        raise RowloomError(f"{reader.subject}: node {node.name}", "flattens other than from axis 1", "need that")
    reader.add(node, "Flatten", arguments[0], axis=1)


def _reshape(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    shape = [size if isinstance(size, int) else -1 for size in arguments[1]]
    reader.add(node, "Reshape", arguments[0], reader.constant(node, "shape", shape, np.int64))


def _permute(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
    reader.add(node, "Transpose", arguments[0], perm=list(arguments[1]))


def _same(kind: str) -> Any:
    def write(reader: _Reader, node: Any, arguments: Arguments, keywords: Keywords) -> None:
        reader.add(node, kind, arguments[0])

    return write


_CALLS: dict[str, Any] = {
    "aten.adaptive_avg_pool2d": _global_average,
    "aten.add.Tensor": _add,
    "aten.add_.Tensor": _add,
    "aten.avg_pool2d": _average_pool,
    "aten.cat": _concat,
    "aten.conv2d": _conv,
    "aten.dropout": _same("Identity"),
    "aten.flatten.using_ints": _flatten,
    "aten.hardtanh": _clip,
    "aten.hardtanh_": _clip,
    "aten.linear": _linear,
    "aten.max_pool2d": _max_pool,
    "aten.mean.dim": _mean,
    "aten.permute": _permute,
    "aten.relu": _same("Relu"),
    "aten.relu6": _clip,
    "aten.relu_": _same("Relu"),
    "aten.reshape": _reshape,
    "aten.view": _reshape,
    "quantized_decomposed.dequantize_per_channel": _dequantize_channels,
    "quantized_decomposed.dequantize_per_tensor": _dequantize,
    "quantized_decomposed.quantize_per_tensor": _quantize,
}
