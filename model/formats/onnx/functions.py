"""Functions of single numbers that are no piecewise lines: sigmoid and its like, which become tables of codes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.linear_quant import DECOMPOSED
from rowloom.model.formats.onnx.pointwise import Floats, Pointwise
from rowloom.model.formats.onnx.reader import Node

Compute = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Function(Pointwise):
    """Any function of one number, computed in the type that it is given."""

    name: str
    rising: bool
    function: Compute

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None."""
        return ()

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the function."""
        with np.errstate(all="ignore"):
            return np.asarray(self.function(x)).astype(x.dtype)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the function to 53 bits: there is nothing more exact."""
        return Fraction(float(self.compute(np.array([float(x)]), ())[0]))

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup(Pointwise):
    """Numbers of integers from ``low`` on, whatever functions they came from.

    Parameters
    ----------
    low : int
    values : float32 [N]
    """

    low: int
    values: NDArray[np.float32]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None."""
        return ()

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the numbers of integers, which the floats are."""
        return self.values[np.rint(x).astype(np.int64) - self.low].astype(x.dtype)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the number of an integer."""
        return Fraction(float(self.values[int(x) - self.low]))

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""


def _wide(function: Compute) -> Compute:
    """Return the function computed in float64 at least and rounded once."""

    def rounded(x: Floats) -> Floats:
        return function(x.astype(np.float64) if x.dtype == np.float32 else x).astype(x.dtype)

    return rounded


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


_erf = np.vectorize(math.erf, otypes=[np.float64])


def erf(x: Floats) -> Floats:
    """Return the error function, in float64."""
    return np.asarray(_erf(np.asarray(x, np.float64)))


def _gelu(node: Node) -> Function:
    how = node.attributes.get("approximate", "none")
    if how == "tanh":
        scale = math.sqrt(2 / math.pi)
        return Function("Gelu", False, _wide(lambda x: x / 2 * (1 + np.tanh(scale * (x + 0.044715 * x**3)))))
    if how != "none":
        raise Misfit(f"approximates by {how!r}, where none or tanh is needed")
    return Function("Gelu", False, _wide(lambda x: x * (1 + erf(x / math.sqrt(2))) / 2))


def _hard_sigmoid(node: Node) -> Function:
    alpha, beta = float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))

    def compute(x: Floats) -> Floats:
        kind = x.dtype.type
        return np.maximum(kind(0), np.minimum(kind(1), kind(alpha) * x + kind(beta)))

    return Function("HardSigmoid", alpha >= 0, compute)


def _hard_swish(node: Node) -> Function:
    """torch has x * clip(x + 3, 0, 6) / 6, ONNX x * clip(x / 6 + 0.5, 0, 1)."""

    def of_torch(x: Floats) -> Floats:
        return x * np.minimum(np.maximum(x + 3, 0), 6) / 6

    def of_onnx(x: Floats) -> Floats:
        kind = x.dtype.type
        return x * np.maximum(kind(0), np.minimum(kind(1), kind(np.float32(1 / 6)) * x + kind(0.5)))

    return Function("HardSwish", False, of_torch if node.domain == DECOMPOSED else of_onnx)


def _elu(node: Node) -> Function:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Function("Elu", alpha >= 0, _wide(lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))))


def _selu(node: Node) -> Function:
    alpha = float(node.attributes.get("alpha", 1.6732632))
    gamma = float(node.attributes.get("gamma", 1.0507010))
    rises = alpha >= 0 and gamma >= 0
    return Function("Selu", rises, _wide(lambda x: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))))


def _celu(node: Node) -> Function:
    alpha = float(node.attributes.get("alpha", 1.0))
    if alpha <= 0:
        raise Misfit(f"has alpha {alpha:g}, where a positive one is needed")
    return Function("Celu", True, _wide(lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))))


def _swish(node: Node) -> Function:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Function("Swish", False, _wide(lambda x: x * sigmoid(alpha * x)))


def _thresholded(node: Node) -> Function:
    alpha = float(np.float32(node.attributes.get("alpha", 1.0)))
    return Function("ThresholdedRelu", alpha >= 0, lambda x: np.where(x > x.dtype.type(alpha), x, x.dtype.type(0)))


def _plain(name: str, rising: bool, function: Compute) -> Callable[[Node], Function]:
    return lambda node: Function(name, rising, function)


_FUNCTIONS: dict[str, Callable[[Node], Function]] = {
    "Abs": _plain("Abs", False, np.abs),
    "Ceil": _plain("Ceil", True, np.ceil),
    "Celu": _celu,
    "Elu": _elu,
    "Erf": _plain("Erf", True, _wide(erf)),
    "Exp": _plain("Exp", True, _wide(np.exp)),
    "Floor": _plain("Floor", True, np.floor),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Mish": _plain("Mish", False, _wide(lambda x: x * np.tanh(np.logaddexp(0, x)))),
    "Round": _plain("Round", True, np.round),
    "Selu": _selu,
    "Sigmoid": _plain("Sigmoid", True, _wide(sigmoid)),
    "Softplus": _plain("Softplus", True, _wide(lambda x: np.logaddexp(0, x))),
    "Softsign": _plain("Softsign", True, lambda x: x / (1 + np.abs(x))),
    "Swish": _swish,
    "Tanh": _plain("Tanh", True, _wide(np.tanh)),
    "ThresholdedRelu": _thresholded,
}

NAMES = tuple(_FUNCTIONS)
"""Of the operators that :func:`function_node` takes."""


def function_node(importer: Importer, node: Node) -> None:
    """Any of :data:`NAMES`: a table as soon as a quantizer comes, thresholds for sums where it rises."""
    signal = importer.signal(node)
    importer.set(node, signal.then(_FUNCTIONS[node.kind](node), str(node)))
