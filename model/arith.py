"""Rounding, saturation and thresholds, as formulas; nowhere else."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

INT32_MIN = -(1 << 31)
INT32_MAX = (1 << 31) - 1

#: So many thresholds are compared with one after the other; more are searched.
COMPARED = 15


def saturating_rounding_doubling_high_mul(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """Return the high 32 bits of 2ab, rounded to nearest, ties away from zero; saturated.

    With int32 ``a`` and ``b``: (ab + (2^30 if ab >= 0 else 1 - 2^30)) / 2^31, the division
    truncating toward zero; INT32_MAX if both are INT32_MIN.

    References
    ----------
    gemmlowp, fixedpoint/fixedpoint.h, SaturatingRoundingDoublingHighMul; used by the TFLite
    reference kernels (Jacob et al., CVPR 2018, section 2.2).
    """
    left = np.asarray(a, dtype=np.int64)
    right = np.asarray(b, dtype=np.int64)
    product = left * right
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # Truncating division: an arithmetic shift of the magnitude keeps the sign outside.
    rounded = np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))
    return np.where((left == INT32_MIN) & (right == INT32_MIN), INT32_MAX, rounded)


def rounding_divide_by_power_of_two(x: ArrayLike, exponent: ArrayLike) -> NDArray[np.int64]:
    """Return x / 2^exponent of an int32, rounded to nearest, ties away from zero.

    With mask = 2^exponent - 1: (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0)).

    References
    ----------
    gemmlowp, fixedpoint/fixedpoint.h, RoundingDivideByPOT.
    """
    value = np.asarray(x, dtype=np.int64)
    shift = np.asarray(exponent, dtype=np.int64)
    mask = (np.int64(1) << shift) - 1
    above = (value & mask) > (mask >> 1) + (value < 0)
    return (value >> shift) + above


def round_half_away(x: NDArray[Any]) -> NDArray[Any]:
    """Return floats rounded to nearest, ties away from zero, as C's ``round``; of the same type.

    Adding a half first is no substitute: the sum of it and the number just below it is rounded to 1.
    """
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x).astype(x.dtype)


def multiply_by_quantized_multiplier(x: ArrayLike, multiplier: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """Return x * multiplier * 2^(shift - 31), rounded twice as the TFLite reference kernels do.

    The left shift is applied first and must keep ``x`` in int32; the right shift last.

    References
    ----------
    TensorFlow Lite, kernels/internal/common, MultiplyByQuantizedMultiplier (double rounding).
    """
    exponent = np.asarray(shift, dtype=np.int64)
    shifted = np.asarray(x, dtype=np.int64) << np.maximum(exponent, 0)
    high = saturating_rounding_doubling_high_mul(shifted, multiplier)
    return rounding_divide_by_power_of_two(high, np.maximum(-exponent, 0))


def requantize(
    sums: ArrayLike,
    *,
    multiplier: ArrayLike,
    shift: ArrayLike,
    zero_point: int,
    code_min: int,
    code_max: int,
) -> NDArray[np.int64]:
    """Return clamp(multiply_by_quantized_multiplier(sums) + zero_point, code_min, code_max).

    The last axis of ``sums`` is the channel, along which ``multiplier`` and ``shift`` run.
    """
    scaled = multiply_by_quantized_multiplier(sums, multiplier, shift)
    return np.clip(scaled + zero_point, code_min, code_max)


def count_thresholds(sums: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return how many of a channel's thresholds each sum reaches: #{n : sum >= values[m, n]}.

    Parameters
    ----------
    sums : array [..., M]
        Integers, or floats that hold integers exactly; already multiplied by the direction.
    values : array [M, N] of the same type
        Ascending along N.

    Returns
    -------
    array [..., M]
        uint8 where N <= 255, else int64.
    """
    channels, levels = values.shape
    if levels == 1:
        return np.greater_equal(sums, values[:, 0]).view(np.uint8)
    if levels <= COMPARED:
        counts = np.zeros_like(sums, dtype=np.uint8)
        for level in range(levels):
            counts += np.greater_equal(sums, values[:, level]).view(np.uint8)
        return counts
    result = np.empty_like(sums, dtype=np.uint8 if levels <= 255 else np.int64)
    for m in range(channels):
        result[..., m] = np.searchsorted(values[m], sums[..., m], side="right")
    return result


def output_length(size: int, kernel: int, stride: int, before: int, after: int, dilation: int) -> int:
    """Return floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1."""
    return (size + before + after - dilation * (kernel - 1) - 1) // stride + 1


def valid_taps(size: int, kernel: int, stride: int, before: int, after: int) -> list[int]:
    """Return how many taps of each window along one axis lie on the map, not on its padding."""
    count = output_length(size, kernel, stride, before, after, 1)
    starts = [place * stride - before for place in range(count)]
    return [min(start + kernel, size) - max(start, 0) for start in starts]
