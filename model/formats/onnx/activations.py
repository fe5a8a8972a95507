"""Activations that are no fractions: thresholds of sums where they rise, tables of codes where they also fall."""

from typing import Any

import numpy as np

from rowloom.model.formats.onnx.arithmetic import apply
from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.curves import Curve, Product
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.pointwise import Clip, Pointwise, Scale, Shift
from rowloom.model.formats.onnx.reader import Node

_ATTRIBUTES: dict[str, tuple[tuple[str, float], ...]] = {
    "Celu": (("alpha", 1.0),),
    "Elu": (("alpha", 1.0),),
    "Erf": (),
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


def hard_sigmoid_node(importer: Importer, node: Node) -> None:
    """HardSigmoid: max(0, min(1, alpha x + beta))."""
    slope, start = _number(node, "alpha", 0.2), _number(node, "beta", 0.5)
    if not slope:
        raise Misfit("has a slope of 0")
    apply(importer, node, importer.signal(node), *_hard_sigmoid(slope, start))


def swish_node(importer: Importer, node: Node) -> None:
    """Gelu, HardSwish, Mish and Swish: x times a function of x."""
    first: tuple[Pointwise, ...] = ()
    if node.kind == "HardSwish":
        second = _hard_sigmoid(1 / 6, 0.5)
    elif node.kind == "Mish":
        second = (Curve("Softplus"), Curve("Tanh"))
    elif node.kind == "Swish":
        second = (Scale(Parameter.scalar(_number(node, "alpha", 1.0))), Curve("Sigmoid"))
    elif node.attributes.get("approximate", "none") != "none":
        raise Misfit(f"approximates by {node.attributes['approximate']!r}, where 'none' is needed")
    else:
        first = (Scale(Parameter.scalar(0.5)),)
        root = Scale(Parameter.scalar(float(np.sqrt(0.5))))
        second = (root, Curve("Erf"), Shift(Parameter.scalar(1.0)))
    apply(importer, node, importer.signal(node), Product(first, second))


def _hard_sigmoid(slope: float, start: float) -> tuple[Pointwise, ...]:
    limits = Clip(Parameter.scalar(0.0), Parameter.scalar(1.0))
    return Scale(Parameter.scalar(slope)), Shift(Parameter.scalar(start)), limits


def _number(node: Node, name: str, default: float) -> float:
    value: Any = node.attributes.get(name, default)
    if not isinstance(value, float | int) or not 0 <= value < float("inf") or (not value and name != "beta"):
        raise Misfit(f"has {name} = {value!r}, where a positive number is needed")
    return float(value)
