"""Quantizers: from real numbers to codes, in the executor's floats and exactly."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import count_thresholds
from rowloom.model.encodings import Binary, Encoding, PowerOfTwo, Ternary, Uniform
from rowloom.model.formats.onnx.axes import Parameter
from rowloom.model.formats.onnx.numbers.rounding import FLOATS, FRACTIONS

Floats = NDArray[Any]


class Quantizer(ABC):
    """One quantizer. The real number that it returns is unit * value + offset, value that of ``encoding``."""

    encoding: Encoding
    unit: tuple[Fraction, ...]
    offset: Fraction = Fraction(0)

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """What differs by channel."""

    @property
    def range(self) -> tuple[int, int]:
        """The least and the greatest value that it gives."""
        return self.encoding.min, self.encoding.max

    @abstractmethod
    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return codes of numbers [K, M], rounding by rounding in their type."""

    @abstractmethod
    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code without any rounding but the quantizer's."""


@dataclass(frozen=True, eq=False, kw_only=True)
class IntQuant(Quantizer):
    """QONNX Quant and IntQuant: round(clip(x / scale + zero point)).

    With ``late`` it is ONNX's QuantizeLinear: clip(round(x / scale) + zero point).
    """

    scale: Parameter
    encoding: Encoding
    unit: tuple[Fraction, ...]
    low: int
    high: int
    zero_point: int
    rounding: str
    late: bool = False
    offset: Fraction = Fraction(0)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The scale."""
        return (self.scale,)

    @property
    def range(self) -> tuple[int, int]:
        """The limits' values: a narrow range has a code fewer than its encoding."""
        return (int(self.encoding.decode(self.low)), int(self.encoding.decode(self.high)))

    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return the codes."""
        y = x / parameters[0]
        if self.late:
            return np.clip(
                FLOATS[self.rounding](np.clip(y, -1e15, 1e15)) + self.zero_point, self.low, self.high
            ).astype(np.int64)
        y = y + x.dtype.type(self.zero_point)
        y = np.where(y > self.high, x.dtype.type(self.high), y)
        y = np.where(y < self.low, x.dtype.type(self.low), y)
        return FLOATS[self.rounding](y).astype(np.int64)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code."""
        y = x / parameters[0]
        if self.late:
            return min(max(FRACTIONS[self.rounding](y) + self.zero_point, self.low), self.high)
        return FRACTIONS[self.rounding](min(max(y + self.zero_point, Fraction(self.low)), Fraction(self.high)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Truncation(Quantizer):
    """QONNX Trunc: the quantized integers, divided by a power of two and rounded.

    ``limits`` are those of version 2; version 1 has none.
    """

    scale: Parameter
    encoding: Encoding
    unit: tuple[Fraction, ...]
    offset: Fraction
    zero_point: int
    divisor: Fraction
    rounding: str
    limits: tuple[int, int] | None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The scale."""
        return (self.scale,)

    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return the codes."""
        y = np.round(x / parameters[0] + x.dtype.type(self.zero_point)) / x.dtype.type(float(self.divisor))
        if self.limits is not None:
            y = np.clip(y, *self.limits)
        return np.clip(FLOATS[self.rounding](y), self.encoding.code_min, self.encoding.code_max).astype(np.int64)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code."""
        y = round(x / parameters[0] + self.zero_point) / self.divisor
        if self.limits is not None:
            y = min(max(y, Fraction(self.limits[0])), Fraction(self.limits[1]))
        return min(max(FRACTIONS[self.rounding](y), self.encoding.code_min), self.encoding.code_max)


@dataclass(frozen=True, eq=False, kw_only=True)
class SignQuant(Quantizer):
    """-1 or +1: BipolarQuant, Sign, and Quant of one signed bit. 0 is +1, or 0 where the encoding is ternary."""

    encoding: Encoding
    unit: tuple[Fraction, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None."""
        return ()

    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return the codes."""
        signs = np.sign(x) if isinstance(self.encoding, Ternary) else np.where(x >= 0, 1, -1)
        return self.encoding.encode(signs.astype(np.int64)).astype(np.int64)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code."""
        sign = (x > 0) - (x < 0) if isinstance(self.encoding, Ternary) else 1 if x >= 0 else -1
        return int(self.encoding.encode(sign))


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiThreshold(Quantizer):
    """FINN's: how many of a channel's thresholds a number reaches.

    Parameters
    ----------
    steps : tuple of Parameter
        One for each threshold.
    """

    steps: tuple[Parameter, ...]
    encoding: Encoding
    unit: tuple[Fraction, ...]
    offset: Fraction

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The thresholds."""
        return self.steps

    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return the codes."""
        steps = np.sort(np.stack(np.broadcast_arrays(*parameters), axis=-1), axis=-1)  # [M or 1, N]
        channels = max(len(steps), x.shape[-1])
        sums = np.broadcast_to(x, (*x.shape[:-1], channels))
        counts = count_thresholds(sums, np.broadcast_to(steps, (channels, steps.shape[-1])))
        return counts.astype(np.int64) + self.encoding.code_min

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code."""
        return bisect_right(sorted(parameters), x) + self.encoding.code_min


@dataclass(frozen=True, eq=False, kw_only=True)
class PowerQuant(Quantizer):
    """QONNX FloatQuant without mantissa bits: 0 and powers of two."""

    scale: Parameter
    encoding: PowerOfTwo
    unit: tuple[Fraction, ...]
    least: int
    greatest: Fraction
    rounding: str
    shift: int

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The scale."""
        return (self.scale,)

    def codes(self, x: Floats, parameters: tuple[Floats, ...]) -> NDArray[np.int64]:
        """Return the codes."""
        most = 2 * float(self.greatest)  # what is beyond is cut off anyway, and infinity has no exponent
        y = np.clip(x / parameters[0], x.dtype.type(-most), x.dtype.type(most))
        exponent = np.maximum(np.floor(np.log2(np.abs(y) + np.finfo(y.dtype).tiny)), y.dtype.type(self.least))
        step = np.exp2(exponent)
        values = np.clip(step * FLOATS[self.rounding](y / step), -float(self.greatest), float(self.greatest))
        return self.encoding.encode(np.rint(values * 2.0**self.shift).astype(np.int64)).astype(np.int64)

    def exact(self, x: Fraction, parameters: tuple[Fraction, ...]) -> int:
        """Return the code."""
        y = x / parameters[0]
        exponent = self.least
        while y and Fraction(2) ** (exponent + 1) <= abs(y):
            exponent += 1
        step = Fraction(2) ** exponent
        value = min(max(step * FRACTIONS[self.rounding](y / step), -self.greatest), self.greatest)
        return int(self.encoding.encode(int(value * 2**self.shift)))


def uniform_between(low: int, high: int) -> Uniform:
    """Return the narrowest encoding of the integers from ``low`` to ``high``, without a zero point."""
    if low >= 0:
        return Uniform(bits=max(1, high.bit_length()), signed=False)
    return Uniform(bits=max((~low).bit_length(), high.bit_length() if high > 0 else 0) + 1, signed=True)


def signs() -> Binary:
    """Return the encoding of -1 and +1."""
    return Binary()
