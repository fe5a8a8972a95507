"""Softmax at the end of a network, on the host: in floats, and in the integers of the TFLite reference kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import (
    multiply_by_quantized_multiplier,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)
from rowloom.model.errors import RowloomError

_INT32_MAX = (1 << 31) - 1
_ACCUMULATION_BITS = 12
_DIFF_BITS = 5


def softmax(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return exp(x) / sum(exp(x)) along the last axis, in float64."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_softmax(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithm of the softmax along the last axis, in float64, finite where that rounds to 0."""
    shifted: NDArray[np.float64] = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerSoftmax:
    """Softmax of 8-bit codes along the channels, in 32-bit fixed point: codes in, codes of 1 / 256 out.

    Parameters
    ----------
    multiplier, shift : int
        beta * input scale * 2^26 as a fixed-point number; the shift is to the left.
    least : int
        Differences from the greatest code that are less than this give 0.
    zero_point : int
        The code of 0: -128, or 0 of codes without sign.

    References
    ----------
    TensorFlow Lite, kernels/internal/reference/softmax.h; gemmlowp, fixedpoint.h: exp_on_negative_values,
    one_over_one_plus_x_for_x_in_0_1.
    """

    multiplier: int
    shift: int
    least: int
    zero_point: int = -128

    def __post_init__(self) -> None:
        if type(self.multiplier) is not int or not 1 << 30 <= self.multiplier <= _INT32_MAX:
            raise RowloomError("softmax", f"multiplier must be in 2^30 to 2^31 - 1, not {self.multiplier!r}")
        if type(self.shift) is not int or not 0 <= self.shift <= 31:
            raise RowloomError("softmax", f"shift must be in 0 to 31, not {self.shift!r}")
        if type(self.least) is not int or self.least > 0:
            raise RowloomError("softmax", f"least must be an integer of at most 0, not {self.least!r}")
        if type(self.zero_point) is not int or self.zero_point not in (-128, 0):
            raise RowloomError("softmax", f"zero_point must be -128 or 0, not {self.zero_point!r}")

    def __call__(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return the codes of the softmax of codes [..., C]."""
        wide = codes.astype(np.int64)
        difference = wide - wide.max(axis=-1, keepdims=True)
        counted = difference >= self.least
        scaled = multiply_by_quantized_multiplier(np.where(counted, difference, 0), self.multiplier, self.shift)
        power = _exp_on_negative_values(scaled)
        total = np.where(counted, rounding_divide_by_power_of_two(power, _ACCUMULATION_BITS), 0).sum(
            axis=-1, keepdims=True
        )
        reciprocal, bits_over_unit = _reciprocal(total)
        product = saturating_rounding_doubling_high_mul(reciprocal, power)
        result = np.clip(rounding_divide_by_power_of_two(product, bits_over_unit + 31 - 8), 0, 255)
        shifted = np.where(counted, result, 0) + self.zero_point
        return shifted.astype(np.int8 if self.zero_point else np.uint8)


def _exp_on_negative_values(a: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return exp(a), 31 fraction bits, of a <= 0 with 26 fraction bits."""
    quarter = 1 << 24
    remainder = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(remainder << _DIFF_BITS)
    distance = remainder - a
    for exponent, multiplier in (
        (-2, 1672461947),
        (-1, 1302514674),
        (0, 790015084),
        (1, 290630308),
        (2, 39332535),
        (3, 720401),
        (4, 242),
    ):
        applies = (distance & (1 << (26 + exponent))) != 0
        result = np.where(applies, saturating_rounding_doubling_high_mul(result, multiplier), result)
    return np.where(a == 0, _INT32_MAX, result)


def _exp_between_minus_quarter_and_zero(a: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return exp(a) of -1/4 <= a < 0, both with 31 fraction bits: a Taylor series round -1/8."""
    x = a + (1 << 28)
    x2 = saturating_rounding_doubling_high_mul(x, x)
    x3 = saturating_rounding_doubling_high_mul(x2, x)
    x4 = saturating_rounding_doubling_high_mul(x2, x2)
    x4_over_4 = rounding_divide_by_power_of_two(x4, 2)
    rest = saturating_rounding_doubling_high_mul(x4_over_4 + x3, 715827883)
    rest = rounding_divide_by_power_of_two(rest + x2, 1)
    return 1895147668 + saturating_rounding_doubling_high_mul(1895147668, x + rest)


def _reciprocal(total: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return 1 / x with 31 fraction bits, and by how many bits x, with 19 fraction bits, exceeds its unit."""
    headroom = 31 - np.floor(np.log2(total)).astype(np.int64)
    shifted = (total << headroom) - (1 << 31)
    return _one_over_one_plus_x(shifted), _ACCUMULATION_BITS - headroom


def _one_over_one_plus_x(a: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 1 / (1 + a) of 0 <= a < 1, both with 31 fraction bits: three steps of Newton and Raphson."""
    total = a + _INT32_MAX
    half = (total + np.where(total >= 0, 1, -1)) // 2
    x = 1515870810 + saturating_rounding_doubling_high_mul(half, -1010580540)
    for _ in range(3):
        product = saturating_rounding_doubling_high_mul(half, x)
        error = (1 << 29) - product
        x = x + np.clip(saturating_rounding_doubling_high_mul(x, error) << 2, -(1 << 31), _INT32_MAX)
    return np.clip(x << 1, -(1 << 31), _INT32_MAX)
