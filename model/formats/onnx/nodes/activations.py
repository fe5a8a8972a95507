"""Activations that are no fractions: thresholds of sums where they rise, tables of codes where they also fall."""

from typing import Any

import numpy as np

from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.arithmetic import apply
from rowloom.model.formats.onnx.nodes.linear_quant import DECOMPOSED
from rowloom.model.formats.onnx.numbers.curves import Curve, Product
from rowloom.model.formats.onnx.numbers.functions import Function
from rowloom.model.formats.onnx.numbers.pointwise import Clip, Divide, Pointwise, Scale, Shift
from rowloom.model.formats.onnx.reader import Node

_ATTRIBUTES: dict[str, tuple[tuple[str, float], ...]] = {
    "Celu": (("alpha", 1.0),),
    "Elu": (("alpha", 1.0),),
    "Erf": (),
    "Exp": (),
    "Selu": (("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
}
"""Parameters of curves, with what they are if a node does not say."""


def curve_node(importer: Importer, node: Node) -> None:
    """Sigmoid, Tanh, Elu and their kin."""
    numbers = tuple(_number(node, name, default) for name, default in _ATTRIBUTES[node.kind])
    apply(importer, node, importer.signal(node), Curve(node.kind, numbers))


def function_node(importer: Importer, node: Node) -> None:
    """Abs, Ceil, Floor, Round and ThresholdedRelu."""
    numbers = (_number(node, "alpha", 1.0),) if node.kind == "ThresholdedRelu" else ()
    apply(importer, node, importer.signal(node), Function(node.kind, numbers))


def hard_sigmoid_node(importer: Importer, node: Node) -> None:
    """HardSigmoid: max(0, min(1, alpha x + beta))."""
    slope, start = _number(node, "alpha", 0.2), _number(node, "beta", 0.5)
    if not slope:
        raise Misfit("has a slope of 0")
    apply(importer, node, importer.signal(node), *_hard_sigmoid(slope, start))


def swish_node(importer: Importer, node: Node) -> None:
    """Gelu, HardSwish (torch's too), Mish and Swish: x times a function of x."""
    first: tuple[Pointwise, ...] = ()
    second: tuple[Pointwise, ...]
    last: tuple[Pointwise, ...] = ()
    how = node.attributes.get("approximate", "none")
    if node.domain == DECOMPOSED:  # torch divides at the end
        second = (Shift(Parameter.scalar(3.0)), Clip(Parameter.scalar(0.0), Parameter.scalar(6.0)))
        last = (Divide(Parameter.scalar(6.0)),)
    elif node.kind == "HardSwish":
        second = _hard_sigmoid(1 / 6, 0.5)
    elif node.kind == "Mish":
        second = (Curve("Softplus"), Curve("Tanh"))
    elif node.kind == "Swish":
        second = (Scale(Parameter.scalar(_number(node, "alpha", 1.0))), Curve("Sigmoid"))
    elif how == "tanh":
        first = (Scale(Parameter.scalar(0.5)),)
        square = (Product((), ()), Scale(Parameter.scalar(0.044715)), Shift(Parameter.scalar(1.0)))
        root = Scale(Parameter.scalar(float(np.sqrt(2 / np.pi))))
        second = (Product((), square), root, Curve("Tanh"), Shift(Parameter.scalar(1.0)))
    elif how != "none":
        raise Misfit(f"approximates by {how!r}, where 'none' or 'tanh' is needed")
    else:
        first = (Scale(Parameter.scalar(0.5)),)
        root = Scale(Parameter.scalar(float(np.sqrt(0.5))))
        second = (root, Curve("Erf"), Shift(Parameter.scalar(1.0)))
    apply(importer, node, importer.signal(node), Product(first, second), *last)


def _hard_sigmoid(slope: float, start: float) -> tuple[Pointwise, ...]:
    limits = Clip(Parameter.scalar(0.0), Parameter.scalar(1.0))
    return Scale(Parameter.scalar(slope)), Shift(Parameter.scalar(start)), limits


def _number(node: Node, name: str, default: float) -> float:
    value: Any = node.attributes.get(name, default)
    if not isinstance(value, float | int) or not 0 <= value < float("inf") or (not value and name != "beta"):
        raise Misfit(f"has {name} = {value!r}, where a positive number is needed")
    return float(value)
