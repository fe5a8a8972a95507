"""Real multipliers as TFLite stores them in integers, and the ranges that fused activations leave."""

import math

import numpy as np
from numpy.typing import NDArray

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


def activation_range(activation: int, scale: float, zero_point: int, low: int, high: int) -> tuple[int, int] | None:
    """Return the codes that a fused activation leaves of ``low`` to ``high``; None for one that is not known.

    Parameters
    ----------
    activation : int
        0 none, 1 ReLU, 2 ReLU -1 to 1, 3 ReLU6.

    References
    ----------
    TensorFlow Lite, kernels/kernel_util.cc, CalculateActivationRangeQuantized.
    """

    def code(real: float) -> int:
        quotient = np.float32(real) / np.float32(scale)
        return zero_point + int(np.copysign(np.floor(np.abs(quotient) + np.float32(0.5)), quotient))

    if activation == 0:
        return low, high
    if activation == 1:
        return max(low, code(0.0)), high
    if activation == 2:
        return max(low, code(-1.0)), min(high, code(1.0))
    if activation == 3:
        return max(low, code(0.0)), min(high, code(6.0))
    return None
