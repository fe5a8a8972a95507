"""A function of integers that is told by its numbers."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Misfit, Parameter
from rowloom.model.formats.onnx.numbers.pointwise import Floats, Pointwise


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

    rational: ClassVar[bool] = False

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

    def direction(self, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Not known."""
        raise Misfit("follows a function of codes that may rise and fall, where a quantizer is needed between")

    def affine(self, parameters: tuple[Fraction, ...]) -> None:
        """It is not."""
