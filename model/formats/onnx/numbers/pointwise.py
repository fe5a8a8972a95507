"""Functions of single numbers between two quantizers: in float32 as the executor computes them, and exactly.

``compute`` takes floats [K, M]: in float32 it returns what the file's executor would, rounding by rounding. ``exact``
takes fractions. Both take the parameters of channel m in column m.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit, Parameter

Floats = NDArray[Any]

_ROOT_BITS = 256
"""Fraction bits of the square root of a variance, which is no fraction."""


@lru_cache(maxsize=1 << 12)
def _root(radicand: Fraction) -> Fraction:
    return Fraction(math.isqrt(math.floor(radicand * (1 << 2 * _ROOT_BITS))), 1 << _ROOT_BITS)


class Pointwise(ABC):
    """One function; rising in every channel, falling in every one, or either by channel."""

    __slots__ = ()

    rational: ClassVar[bool] = True
    """Whether ``exact`` is, for fractions."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """What differs by channel."""

    @abstractmethod
    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the function in the type of ``x``, of parameters in that type."""

    @abstractmethod
    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the function without any rounding."""

    def shaken(self, x: Floats, parameters: tuple[Floats, ...], sign: int) -> Floats:
        """Return the function as far up or down as the executor's may be beside the rounding of its steps."""
        return self.compute(x, parameters)

    @abstractmethod
    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return 1 for channels in which the function never falls, -1 for those in which it never rises.

        Raises
        ------
        Misfit
            If it does both.
        """

    def affine(self, parameters: tuple[Fraction, ...]) -> tuple[Fraction, Fraction] | None:
        """Return (a, b) if the function is a x + b, else None."""
        b = self.exact(Fraction(0), parameters)
        return self.exact(Fraction(1), parameters) - b, b


@dataclass(frozen=True, slots=True, eq=False)
class Scale(Pointwise):
    """x * factor."""

    factor: Parameter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The factor."""
        return (self.factor,)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return x * factor."""
        return x * parameters[0]

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return x * factor."""
        return x * parameters[0]

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return -1 where the factor is negative."""
        return np.where(parameters[0] < 0, -1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Divide(Pointwise):
    """x / divisor."""

    divisor: Parameter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The divisor, which is not 0."""
        return (self.divisor,)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return x / divisor."""
        return x / parameters[0]

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return x / divisor."""
        return x / parameters[0]

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return -1 where the divisor is negative."""
        return np.where(parameters[0] < 0, -1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Shift(Pointwise):
    """x + summand, or summand - x."""

    summand: Parameter
    minus: bool = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The summand."""
        return (self.summand,)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return summand + x, or summand - x."""
        return parameters[0] - x if self.minus else x + parameters[0]

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return summand + x, or summand - x."""
        return parameters[0] - x if self.minus else x + parameters[0]

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return -1 where x is subtracted."""
        return np.array([-1 if self.minus else 1])


@dataclass(frozen=True, slots=True, eq=False)
class Norm(Pointwise):
    """Batch normalization: x * f + (beta - mean * f) with f = gamma / sqrt(variance + epsilon), as onnxruntime does."""

    gamma: Parameter
    beta: Parameter
    mean: Parameter
    variance: Parameter
    epsilon: float

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Gamma, beta, mean and variance."""
        return self.gamma, self.beta, self.mean, self.variance

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return x * f + (beta - mean * f)."""
        gamma, beta, mean, variance = parameters
        one = x.dtype.type(1)
        factor = one / np.sqrt(variance + x.dtype.type(np.float32(self.epsilon))) * gamma
        return x * factor + (beta - mean * factor)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the same with a square root of 256 fraction bits."""
        gamma, beta, mean, variance = parameters
        return (x - mean) * gamma / _root(variance + Fraction(float(np.float32(self.epsilon)))) + beta

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return -1 where the gamma is negative."""
        return np.where(parameters[0] < 0, -1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Clip(Pointwise):
    """x between two limits, either of which may be None; ReLU is the one with 0 below."""

    low: Parameter | None
    high: Parameter | None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The limits that are there."""
        return tuple(limit for limit in (self.low, self.high) if limit is not None)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return min(max(x, low), high)."""
        limits = iter(parameters)
        if self.low is not None:
            x = np.maximum(x, next(limits))
        return x if self.high is None else np.minimum(x, next(limits))

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return min(max(x, low), high)."""
        limits = iter(parameters)
        if self.low is not None:
            x = max(x, next(limits))
        return x if self.high is None else min(x, next(limits))

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return 1."""
        return np.array([1])

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Leaky(Pointwise):
    """x from 0 on, slope * x below."""

    slope: Parameter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The slope."""
        return (self.slope,)

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return x or slope * x."""
        return np.where(x >= 0, x, x * parameters[0])

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return x or slope * x."""
        return x if x >= 0 else x * parameters[0]

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return 1, if no slope is negative."""
        if (parameters[0] < 0).any():
            raise Misfit("follows a LeakyRelu of negative slope, where a quantizer is needed between")
        return np.array([1])

    def affine(self, parameters: tuple[Fraction, ...]) -> tuple[Fraction, Fraction] | None:
        """Return (1, 0) where the slope is 1."""
        return (Fraction(1), Fraction(0)) if parameters[0] == 1 else None
