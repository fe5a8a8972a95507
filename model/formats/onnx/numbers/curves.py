"""Functions of single numbers that are no fractions of fractions: sigmoids and their kin, and products of functions.

The executor's own approximations differ from the functions by less than 2^-21 (measured: onnxruntime's Tanh by up to
3.1e-7, its Sigmoid by 1.7e-7); the thresholds that this decides are counted like those of any rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.numbers.pointwise import Floats, Pointwise

_T = TypeVar("_T")

_DIGITS = 80
"""Of the decimal numbers that stand for exact ones."""

_NOISE = 2.0**-21
"""How far the executor may be off."""

_FAR = Decimal(10000)
"""Beyond it exponentials are 0 to that many digits."""


def _error_function(x: NDArray[Any]) -> NDArray[Any]:
    from math import erf

    return np.vectorize(erf, otypes=[np.float64])(x)


def _exact_error_function(x: Decimal) -> Decimal:
    """Return erf(x) by its series x - x^3 / 3 + x^5 / (2! 5) - ..., which beyond 14 is 1 to 80 digits."""
    if abs(x) > 14:
        return Decimal(1).copy_sign(x)
    term, total, n = x, x, 0
    with localcontext() as context:
        context.prec = 2 * _DIGITS + 20
        while abs(term) > Decimal(10) ** -_DIGITS:
            n += 1
            term = -term * x * x / n
            total += term / (2 * n + 1)
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534")
        return total * 2 / pi.sqrt()


def _exp(x: Decimal) -> Decimal:
    return max(min(x, _FAR), -_FAR).exp()


def _sigmoid(x: Any) -> Any:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


FLOATS: dict[str, Callable[..., NDArray[Any]]] = {
    "Celu": lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    "Elu": lambda x, alpha: np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "Erf": _error_function,
    "Exp": np.exp,
    "Selu": lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
    "Sigmoid": _sigmoid,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Tanh": np.tanh,
}
"""By name, in float64."""

DECIMALS: dict[str, Callable[..., Decimal]] = {
    "Celu": lambda x, alpha: x if x >= 0 else alpha * (_exp(x / alpha) - 1),
    "Elu": lambda x, alpha: x if x >= 0 else alpha * (_exp(x) - 1),
    "Erf": _exact_error_function,
    "Exp": _exp,
    "Selu": lambda x, alpha, gamma: gamma * (x if x > 0 else alpha * (_exp(x) - 1)),
    "Sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "Softplus": lambda x: (1 + _exp(x)).ln() if x < 1000 else x,
    "Softsign": lambda x: x / (1 + abs(x)),
    "Tanh": lambda x: 1 - 2 / (_exp(2 * x) + 1),
}
"""The same with 80 digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve(Pointwise):
    """One of :data:`FLOATS`, which all rise; ``numbers`` are its parameters, from 0 on."""

    kind: str
    numbers: tuple[float, ...] = ()

    rational: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None that differ by channel."""
        return ()

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the function, rounded once."""
        wide = x if x.dtype == np.longdouble else x.astype(np.float64)
        return FLOATS[self.kind](wide, *self.numbers).astype(x.dtype)

    def shaken(self, x: Floats, parameters: tuple[Floats, ...], sign: int) -> Floats:
        """Return the function, off by as much as the executor may be."""
        return self.compute(x, parameters) + x.dtype.type(sign * _NOISE)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the function to 80 digits."""
        with localcontext() as context:
            context.prec = _DIGITS
            number = Decimal(x.numerator) / Decimal(x.denominator)
            return Fraction(DECIMALS[self.kind](number, *(Decimal(each) for each in self.numbers)))

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return 1."""
        return np.array([1])

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Product(Pointwise):
    """The product of two chains of functions of the same number, such as x * sigmoid(x)."""

    first: tuple[Pointwise, ...]
    second: tuple[Pointwise, ...]

    rational: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the first chain, then those of the second."""
        return tuple(p for function in (*self.first, *self.second) for p in function.parameters)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the product."""
        first, second = x, x
        for function, own in self._given(self.first, parameters, 0):
            first = function.compute(first, own)
        for function, own in self._given(self.second, parameters, len(parameters)):
            second = function.compute(second, own)
        return first * second

    def shaken(self, x: Floats, parameters: tuple[Floats, ...], sign: int) -> Floats:
        """Return the product of functions that are off."""
        first, second = x, x
        for function, own in self._given(self.first, parameters, 0):
            first = function.shaken(first, own, sign)
        for function, own in self._given(self.second, parameters, len(parameters)):
            second = function.shaken(second, own, sign)
        return first * second

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the product."""
        first, second = x, x
        for function, own in self._given(self.first, parameters, 0):
            first = function.exact(first, own)
        for function, own in self._given(self.second, parameters, len(parameters)):
            second = function.exact(second, own)
        return first * second

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Not known."""
        raise Misfit("follows a product of activations that may rise and fall, where a quantizer is needed between")

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""

    @staticmethod
    def _given(
        functions: tuple[Pointwise, ...], parameters: tuple[_T, ...], end: int
    ) -> Iterator[tuple[Pointwise, tuple[_T, ...]]]:
        """Yield functions with their parameters, which begin the row, or end it at ``end``."""
        place = end - sum(len(function.parameters) for function in functions) if end else 0
        for function in functions:
            count = len(function.parameters)
            yield function, parameters[place : place + count]
            place += count


def check_numbers(kind: str, numbers: tuple[float, ...]) -> None:
    """Raise Misfit unless a curve with these numbers rises."""
    if not all(0 <= number < float("inf") for number in numbers) or (kind == "Celu" and not all(numbers)):
        raise Misfit(f"has parameters {numbers}, where positive ones are needed")
