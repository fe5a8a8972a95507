"""The formulas against the C++ ones, written out here in Python's unbounded integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rowloom.model.arith import (
    INT32_MAX,
    INT32_MIN,
    count_thresholds,
    multiply_by_quantized_multiplier,
    output_length,
    requantize,
    rounding_divide_by_power_of_two,
    saturating_rounding_doubling_high_mul,
)

int32 = st.integers(INT32_MIN, INT32_MAX)


def half_away_from_zero(x: Fraction) -> int:
    magnitude = abs(x)
    rounded = int(magnitude + Fraction(1, 2))
    return rounded if x >= 0 else -rounded


def truncated(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


@given(int32, int32)
@example(INT32_MIN, INT32_MIN)
@example(INT32_MIN, INT32_MAX)
@example(1, 1 << 30)
@example(-1, 1 << 30)
@example(-3, 1 << 30)
@example(0, 0)
def test_high_mul_equals_gemmlowp(a, b):
    if a == b == INT32_MIN:
        expected = INT32_MAX
    else:
        expected = truncated(a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30)), 1 << 31)
    assert int(saturating_rounding_doubling_high_mul(a, b)) == expected


def test_high_mul_rounds_ties_up_as_gemmlowp_does():
    # -1/2 truncates to 0 because of the nudge of 1 - 2^30; +1/2 becomes 1.
    assert saturating_rounding_doubling_high_mul([1, -1, 3, -3], 1 << 30).tolist() == [1, 0, 2, -1]


@given(int32, st.integers(0, 31))
@example(INT32_MIN, 31)
@example(-1, 1)
@example(1, 1)
@example(-3, 1)
def test_divide_rounds_half_away_from_zero(x, exponent):
    expected = half_away_from_zero(Fraction(x, 1 << exponent))
    assert int(rounding_divide_by_power_of_two(x, exponent)) == expected


@given(st.integers(-(1 << 20), 1 << 20), st.integers(0, INT32_MAX), st.integers(-31, 10))
def test_multiply_is_both_roundings_after_each_other(x, multiplier, shift):
    high = int(saturating_rounding_doubling_high_mul(x << max(shift, 0), multiplier))
    expected = half_away_from_zero(Fraction(high, 1 << max(-shift, 0)))
    assert int(multiply_by_quantized_multiplier(x, multiplier, shift)) == expected


@given(st.integers(-(1 << 20), 1 << 20), st.integers(1 << 30, INT32_MAX), st.integers(-20, 8))
def test_multiply_is_within_one_of_the_real_product(x, multiplier, shift):
    real = Fraction(x) * multiplier * Fraction(2) ** (shift - 31)
    assert abs(int(multiply_by_quantized_multiplier(x, multiplier, shift)) - real) <= 1


def test_requantize_scales_each_channel_then_clamps():
    sums = np.array([[-1000, -1000], [0, 0], [3, 3], [100, 100], [1000, 1000]])
    half, quarter = 1 << 30, 1 << 29
    codes = requantize(sums, multiplier=[half, quarter], shift=[0, 0], zero_point=-5, code_min=-128, code_max=127)
    assert codes.tolist() == [[-128, -128], [-5, -5], [-3, -4], [45, 20], [127, 127]]


@pytest.mark.parametrize("levels", [1, 2, 15, 16, 255, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_count_is_the_number_of_thresholds_reached_ties_included(levels, dtype):
    rng = np.random.default_rng(levels)
    values = np.sort(rng.integers(-40, 40, (3, levels)), axis=1)
    sums = rng.integers(-45, 45, (4, 5, 3))
    sums[0, 0] = values[:, 0]
    expected = (sums[..., None] >= values).sum(axis=-1)
    np.testing.assert_array_equal(count_thresholds(sums.astype(dtype), values.astype(dtype)), expected)


@given(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(1, 3)
)
def test_output_length_counts_the_windows_that_fit(size, kernel, stride, before, after, dilation):
    span = dilation * (kernel - 1) + 1
    padded = before + size + after
    expected = len([start for start in range(0, padded, stride) if start + span <= padded])
    assert max(0, output_length(size, kernel, stride, before, after, dilation)) == expected
