"""onnxruntime's QOperator format: operators on integers, taken apart into those that the importer knows.

Convolutions and products add integers and multiply the sum by one float32 number, ``x scale * w scale / y scale``, so
that what comes out does not depend on an order of additions. So do global averages. The others are what they say:
dequantize, compute, quantize.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.nodes.linear_quant import MICROSOFT
from rowloom.model.formats.onnx.reader import Graph, Node

_ADVICE = "quantize with QuantFormat.QDQ and fixed scales"

_DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulIntegerToFloat")


def expanded(subject: str, graph: Graph) -> Graph:
    """Return the graph without nodes of the QOperator format.

    Raises
    ------
    RowloomError
        If one has scales that are computed, or quantizes by what its input happens to be.
    """
    if not any((node.domain, node.kind) in _KINDS or node.kind in _DYNAMIC or _other(node) for node in graph.nodes):
        return graph
    expander = _Expander(graph)
    for node in graph.nodes:
        if node.kind in _DYNAMIC:
            raise RowloomError(f"{subject}: {node}", "quantizes by what its input happens to be", _ADVICE)
        if _other(node):
            known = ", ".join(sorted(kind for _, kind in _KINDS))
            raise RowloomError(f"{subject}: {node}", "operator is not supported", f"{_ADVICE}; supported: {known}")
        write = _KINDS.get((node.domain, node.kind))
        try:
            if write is None:
                expander.nodes.append(node)
            else:
                write(expander, node)
        except IndexError:
            raise RowloomError(f"{subject}: {node}", f"has {len(node.inputs)} inputs, which are too few") from None
        except Misfit as misfit:
            raise RowloomError(f"{subject}: {node}", str(misfit), f"or {_ADVICE}") from None
    return replace(graph, nodes=tuple(expander.nodes), constants=expander.constants)


def _other(node: Node) -> bool:
    """Whether a node is of the QOperator format, but none that is known."""
    return (
        node.domain == MICROSOFT and node.kind.startswith(("QLinear", "QGemm")) and (MICROSOFT, node.kind) not in _KINDS
    )


class _Expander:
    """Nodes and constants so far."""

    def __init__(self, graph: Graph) -> None:
        self.constants: dict[str, NDArray[Any]] = dict(graph.constants)
        self.nodes: list[Node] = []
        self.count = 0

    def array(self, node: Node, place: int) -> NDArray[Any] | None:
        """Return an input that is a constant; None if it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        if node.inputs[place] not in self.constants:
            raise Misfit(f"has an input {node.inputs[place]} that is computed, where a constant is needed")
        return self.constants[node.inputs[place]]

    def scale(self, node: Node, place: int) -> NDArray[np.float32]:
        """Return scales: one, or one a channel."""
        array = self.array(node, place)
        if array is None or not array.size or not np.isfinite(array).all() or not (array > 0).all():
            raise Misfit(f"has no positive scale as its input {place}")
        return array.astype(np.float32).reshape(-1)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant."""
        self.count += 1
        name = f"qoperator constant {self.count}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def add(self, node: Node, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append what a part of a node is, and return its output."""
        self.count += 1
        output = output or f"qoperator {self.count}"
        name = f"{node.name or node.position}, {node.kind}"
        part = replace(node, name=name, kind=kind, domain="", inputs=inputs, outputs=(output,), attributes=attributes)
        self.nodes.append(part)
        return output

    def integers(self, node: Node, x: int, point: int, *, axis: int = 0) -> str:
        """Return an input of codes as integers: less its zero point."""
        name, points = node.inputs[x], self.array(node, point)
        values = np.zeros((), np.int32) if points is None else points
        if values.ndim and values.size == 1:
            values = values.reshape(())
        scales = self.constant(np.ones(values.shape))
        return self.add(node, "DequantizeLinear", name, scales, self.constant(values, values.dtype), axis=axis)

    def real(self, node: Node, x: int) -> str:
        """Return an input of codes, followed by scale and zero point, as the numbers they stand for."""
        given = [node.inputs[x], *node.inputs[x + 1 : x + 3]]
        return self.add(node, "DequantizeLinear", *given)

    def codes(self, node: Node, name: str, scale: str, point: int) -> None:
        """Let the output of a node be codes of a tensor."""
        given = [node.inputs[point]] if point < len(node.inputs) and node.inputs[point] else []
        self.add(node, "QuantizeLinear", name, scale, *given, output=node.outputs[0])

    def requantized(self, node: Node, sums: str, factor: NDArray[np.float32], point: int, rank: int, axis: int) -> None:
        """Let the output of a node be codes of integers times a factor, one or one for each place along an axis."""
        shape = [1] * rank
        if factor.size > 1:
            shape[axis] = factor.size
        scaled = self.add(node, "Mul", sums, self.constant(factor.reshape(shape)))
        self.codes(node, scaled, self.constant(1.0), point)


def _rank(expander: _Expander, name: str) -> int:
    if name not in expander.constants:
        raise Misfit(f"has weights {name} that are computed, where constants are needed")
    return expander.constants[name].ndim


def _conv(expander: _Expander, node: Node) -> None:
    """QLinearConv: x, scale, zero point, w, scale, zero point, y scale, zero point, bias."""
    rank = _rank(expander, node.inputs[3])
    x, w = expander.integers(node, 0, 2), expander.integers(node, 3, 5)
    bias = expander.array(node, 8)
    given = [] if bias is None else [expander.constant(bias, np.int32)]
    sums = expander.add(node, "Conv", x, w, *given, **node.attributes)
    factor = expander.scale(node, 1) * expander.scale(node, 4) / expander.scale(node, 6)
    expander.requantized(node, sums, factor, 7, rank, 1)


def _matmul(expander: _Expander, node: Node) -> None:
    """QLinearMatMul: a, scale, zero point, b, scale, zero point, y scale, zero point."""
    rank = _rank(expander, node.inputs[3])
    a, b = expander.integers(node, 0, 2), expander.integers(node, 3, 5, axis=rank - 1)
    sums = expander.add(node, "MatMul", a, b)
    factor = expander.scale(node, 1) * expander.scale(node, 4) / expander.scale(node, 6)
    expander.requantized(node, sums, factor, 7, 1, 0)


def _gemm(expander: _Expander, node: Node) -> None:
    """QGemm: A, scale, zero point, B, scale, zero point, C, y scale, zero point; floats where these are left out."""
    if node.attributes.get("transA", 0) or node.attributes.get("alpha", 1.0) != 1.0:
        raise Misfit("transposes its input or has an alpha")
    transposed = int(node.attributes.get("transB", 0))
    _rank(expander, node.inputs[3])
    a, b = expander.integers(node, 0, 2), expander.integers(node, 3, 5, axis=0 if transposed else 1)
    bias = expander.array(node, 6)
    given = [] if bias is None else [expander.constant(bias, np.int32)]
    sums = expander.add(node, "Gemm", a, b, *given, transB=transposed)
    factor = expander.scale(node, 1) * expander.scale(node, 4)
    if len(node.inputs) > 7 and node.inputs[7]:
        expander.requantized(node, sums, factor / expander.scale(node, 7), 8, 1, 0)
    else:
        expander.add(node, "Mul", sums, expander.constant(factor), output=node.outputs[0])


def _global_average(expander: _Expander, node: Node) -> None:
    """QLinearGlobalAveragePool: x, scale, zero point, y scale, zero point. The mean of integers, times a factor."""
    if node.attributes.get("channels_last", 0):
        raise Misfit("has its channels last")
    mean = expander.add(node, "GlobalAveragePool", expander.integers(node, 0, 2))
    expander.requantized(node, mean, expander.scale(node, 1) / expander.scale(node, 3), 4, 1, 0)


def _average(expander: _Expander, node: Node) -> None:
    if node.attributes.get("channels_last", 0):
        raise Misfit("has its channels last")
    attributes = {name: value for name, value in node.attributes.items() if name != "channels_last"}
    pooled = expander.add(node, "AveragePool", expander.real(node, 0), **attributes)
    expander.codes(node, pooled, node.inputs[3], 4)


def _add(expander: _Expander, node: Node) -> None:
    total = expander.add(node, "Add", expander.real(node, 0), expander.real(node, 3))
    expander.codes(node, total, node.inputs[6], 7)


def _multiply(expander: _Expander, node: Node) -> None:
    product = expander.add(node, "Mul", expander.real(node, 0), expander.real(node, 3))
    expander.codes(node, product, node.inputs[6], 7)


def _function(kind: str) -> Callable[[_Expander, Node], None]:
    def write(expander: _Expander, node: Node) -> None:
        result = expander.add(node, kind, expander.real(node, 0), **node.attributes)
        expander.codes(node, result, node.inputs[3], 4)

    return write


def _concat(expander: _Expander, node: Node) -> None:
    """QLinearConcat: y scale, zero point, then each input with its scale and zero point."""
    reals = [expander.real(node, place) for place in range(2, len(node.inputs), 3)]
    joined = expander.add(node, "Concat", *reals, **node.attributes)
    expander.codes(node, joined, node.inputs[0], 1)


def _integer(kind: str) -> Callable[[_Expander, Node], None]:
    """ConvInteger and MatMulInteger: x, w, zero points; sums as they are."""

    def write(expander: _Expander, node: Node) -> None:
        rank = _rank(expander, node.inputs[1])
        x, w = expander.integers(node, 0, 2), expander.integers(node, 1, 3, axis=0 if kind == "Conv" else rank - 1)
        expander.add(node, kind, x, w, output=node.outputs[0], **node.attributes)

    return write


_KINDS: dict[tuple[str, str], Callable[[_Expander, Node], None]] = {
    ("", "ConvInteger"): _integer("Conv"),
    ("", "MatMulInteger"): _integer("MatMul"),
    ("", "QLinearConv"): _conv,
    ("", "QLinearMatMul"): _matmul,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearAdd"): _add,
    (MICROSOFT, "QLinearAveragePool"): _average,
    (MICROSOFT, "QLinearConcat"): _concat,
    (MICROSOFT, "QLinearGlobalAveragePool"): _global_average,
    (MICROSOFT, "QLinearLeakyRelu"): _function("LeakyRelu"),
    (MICROSOFT, "QLinearMul"): _multiply,
    (MICROSOFT, "QLinearSigmoid"): _function("Sigmoid"),
}
