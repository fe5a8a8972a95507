"""Functions of single numbers that make lines of steps or corners, which fractions tell as well as floats."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.numbers.pointwise import Floats, Pointwise

FLOATS: dict[str, Callable[..., NDArray[Any]]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Round": np.round,
    "ThresholdedRelu": lambda x, alpha: np.where(x > x.dtype.type(alpha), x, x.dtype.type(0)),
}
"""By name, in the type that comes in."""

FRACTIONS: dict[str, Callable[..., Fraction | int]] = {
    "Abs": abs,
    "Ceil": math.ceil,
    "Floor": math.floor,
    "Round": round,
    "ThresholdedRelu": lambda x, alpha: x if x > Fraction(alpha) else 0,
}
"""The same, exactly; halves go to the even number in both."""


@dataclass(frozen=True, slots=True, eq=False)
class Function(Pointwise):
    """One of :data:`FLOATS`; ``numbers`` are its parameters, from 0 on."""

    kind: str
    numbers: tuple[float, ...] = ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None that differ by channel."""
        return ()

    def compute(self, x: Floats, parameters: tuple[Floats, ...]) -> Floats:
        """Return the function."""
        return FLOATS[self.kind](x, *self.numbers)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> Fraction:
        """Return the function."""
        return Fraction(FRACTIONS[self.kind](x, *self.numbers))

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return 1 for all but Abs."""
        if self.kind == "Abs":
            raise Misfit("follows Abs, where a quantizer is needed between")
        return np.array([1])

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""
