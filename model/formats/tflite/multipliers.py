"""Real multipliers as TFLite stores them in integers, and the ranges that fused activations leave."""

import math

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import round_half_away
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return (multiplier, shift) with real = multiplier * 2^(shift - 31), multiplier in 2^30 to 2^31 - 1, or 0.

    References
    ----------
    TensorFlow Lite, kernels/internal/quantization_util.cc, QuantizeMultiplier.
    """
    if not real:
        return 0, 0
    mantissa, shift = math.frexp(real)
    # round() ties to even, but std::round away from zero.
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def quantize_multipliers(reals: NDArray[np.float64], subject: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return multipliers and shifts of many reals; RowloomError if one is too great for the accelerator."""
    pairs = [quantize_multiplier(float(real)) for real in reals]
    if any(shift > 30 for _, shift in pairs):
        raise RowloomError(subject, f"rescales by {reals.max():g}", "must be less than 2^30")
    return np.array([m for m, _ in pairs], np.int64), np.array([s for _, s in pairs], np.int64)


FUSED: dict[int, tuple[float | None, float | None]] = {
    0: (None, None),
    1: (0.0, None),
    2: (-1.0, 1.0),
    3: (0.0, 6.0),
}
"""Least and greatest real number that a fused activation leaves, by its number: none, RELU, RELU_N1_TO_1, RELU6."""


def codes_between(limits: tuple[float | None, float | None], scale: float, target: Uniform) -> tuple[int, int]:
    """Return the codes that lie between real numbers.

    Raises
    ------
    RowloomError
        If the scale is so small that a number has no code of 32 bits.

    References
    ----------
    TensorFlow Lite, kernels/kernel_util.cc, CalculateActivationRangeQuantized.
    """

    def code(real: float) -> int:
        with np.errstate(over="ignore"):
            quotient = np.asarray(np.float32(real) / np.float32(scale))
        if abs(quotient) >= 1 << 31:
            raise RowloomError("activation", f"of {real:g} is too great for a scale of {scale:g}")
        return target.zero_point + int(round_half_away(quotient))

    low, high = limits
    return (
        target.code_min if low is None else max(target.code_min, code(low)),
        target.code_max if high is None else min(target.code_max, code(high)),
    )
