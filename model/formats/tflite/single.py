"""Rescaling in float64 that rounds once, as FULLY_CONNECTED does, in the form that rounds twice.

FULLY_CONNECTED computes round(sum * real), ties away from zero; ``Requantize`` rounds after 31 bits and again after the
right shift. Without a right shift it rounds once. So a multiplier is looked for that needs none and gives the same
code for every sum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import round_half_away
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.formats.tflite.multipliers import quantize_multiplier
from rowloom.model.post import Post, Requantize, Thresholds


def thresholds_of(
    reals: NDArray[np.float64], target: Uniform, bounds: tuple[list[int], list[int]]
) -> NDArray[np.int64]:
    """Return the least sum [M, N], in the least to the greatest + 1, of each code above the least one of ``target``."""
    codes = target.every_code[1:] - target.zero_point
    low, high = (np.array(each, np.int64)[:, None] for each in bounds)
    with np.errstate(divide="ignore", over="ignore"):
        guess = np.floor((codes - 0.5) / reals[:, None])
    # It is off by one at most, where it is among the sums at all.
    first = np.clip(guess, low - 4, high + 4).astype(np.int64) - 2
    missed = (round_half_away((first + place) * reals[:, None]) < codes for place in range(5))
    return np.clip(first + sum(each.astype(np.int64) for each in missed), low, high + 1)


def without_right_shift(
    real: float, wanted: Sequence[int], offset: int, low: int, high: int, target: Uniform
) -> tuple[int, int] | None:
    """Return a multiplier near to ``real`` and a shift to the left that have these thresholds; None if none has.

    Parameters
    ----------
    wanted : sequence of int
        The least sum, in ``low`` to ``high`` + 1, of each code above the least one of ``target``.
    offset : int
        Added after the rescaling; then the code is clamped.
    """
    shift = max(quantize_multiplier(real)[1], 0)
    if shift > 30 or low << shift < -(1 << 31) or high << shift >= 1 << 31:
        return None
    # A threshold t of n asks for t * m >= (n - 1/2) 2^(31 - shift) and (t - 1) * m < (n - 1/2) 2^(31 - shift).
    least, beyond = 0, 1 << 31
    for code, t in zip(range(target.code_min + 1, target.code_max + 1), wanted, strict=True):
        half = (2 * (code - offset) - 1) << (30 - shift)
        if t <= high:
            if t > 0:
                least = max(least, -(-half // t))
            elif t < 0:
                beyond = min(beyond, half // t + 1)
            elif half > 0:
                return None
        if t > low:
            before = t - 1
            if before > 0:
                beyond = min(beyond, -(-half // before))
            elif before < 0:
                least = max(least, half // before + 1)
            elif half <= 0:
                return None
    if least >= beyond:
        return None
    # The one nearest to what it stands for.
    return min(max(round(real * 2.0 ** (31 - shift)), least), beyond - 1), shift


def rounding_once(
    subject: str,
    reals: NDArray[np.float64],
    target: Uniform,
    allowed: tuple[int, int],
    bounds: tuple[list[int], list[int]],
) -> Post:
    """Return the post-operation for a rescaling that rounds once: a Requantize if there is one, else thresholds.

    Parameters
    ----------
    subject : str
        Who is to blame in errors.
    reals : float64 [M]
        By which each channel's sums are rescaled.
    allowed : (int, int)
        The least and the greatest code that are left.
    bounds : (list of int, list of int)
        The least and the greatest sum of each channel.
    """
    ends = np.array(bounds, np.float64)
    if np.abs(ends).max() >= 1 << 31 or np.abs(ends * reals).max() >= 1 << 31:
        raise RowloomError(subject, "its sums, or those rescaled, are wider than 32 bits", "need narrower ones")
    offset = target.zero_point
    values = thresholds_of(reals, target, bounds)
    if allowed == (target.code_min, target.code_max):
        pairs = []
        for real, row, low, high in zip(reals.tolist(), values.tolist(), *bounds, strict=True):
            pair = without_right_shift(real, row, offset, low, high, target)
            if pair is None:
                break
            pairs.append(pair)
        if len(pairs) == len(reals):
            return Requantize(
                multiplier=np.array([multiplier for multiplier, _ in pairs]),
                shift=np.array([shift for _, shift in pairs]),
                output_zero_point=offset,
            )
    lows, highs = np.array(bounds[0])[:, None], np.array(bounds[1])[:, None]
    codes = target.every_code[1:]
    values = np.where(codes <= allowed[0], lows, np.where(codes > allowed[1], highs + 1, values))
    return Thresholds(values=values, direction=np.ones(len(values), np.int8))
