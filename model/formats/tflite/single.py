"""Rescaling that rounds once, as FULLY_CONNECTED does, in the form that rounds twice.

FULLY_CONNECTED computes floor(sum * multiplier / 2^(31 - shift) + 1/2); ``Requantize`` rounds after 31 bits and again
after the right shift. Without a right shift it rounds once. So another multiplier is looked for that needs none and
gives the same code for every sum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.post import Post, Requantize, Thresholds


def thresholds_of(multiplier: int, shift: int, offset: int, low: int, high: int, target: Uniform) -> list[int]:
    """Return the least sum, in ``low`` to ``high`` + 1, of each code above the least one of ``target``.

    Parameters
    ----------
    multiplier, shift : int
        Of a rescaling that rounds once, halves up.
    offset : int
        Added after it; then the code is clamped.
    """
    if not multiplier:
        return [low if code <= offset else high + 1 for code in range(target.code_min + 1, target.code_max + 1)]
    # floor(s * m / 2^e + 1/2) >= n: 2 s m >= (2 n - 1) 2^e.
    exponent = 31 - shift
    twice = 2 * multiplier
    result = []
    for code in range(target.code_min + 1, target.code_max + 1):
        numerator = (2 * (code - offset) - 1) << exponent
        result.append(min(max(-(-numerator // twice), low), high + 1))
    return result


def without_right_shift(
    multiplier: int, shift: int, wanted: Sequence[int], offset: int, low: int, high: int, target: Uniform
) -> int | None:
    """Return a multiplier that with a shift of 0 has the same thresholds; None if there is none."""
    # A threshold t of n asks for t * m >= (n - 1/2) 2^31 and (t - 1) * m < (n - 1/2) 2^31.
    least, beyond = 0, 1 << 31
    for code, t in zip(range(target.code_min + 1, target.code_max + 1), wanted, strict=True):
        half = (2 * (code - offset) - 1) << 30
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
    ideal = round(multiplier * 2.0**shift)
    return min(max(ideal, least), beyond - 1)


def rounding_once(
    multipliers: NDArray[np.int64],
    shifts: NDArray[np.int64],
    target: Uniform,
    allowed: tuple[int, int],
    bounds: tuple[list[int], list[int]],
) -> Post:
    """Return the post-operation for a rescaling that rounds once: a Requantize if there is one, else thresholds."""
    offset = target.zero_point
    channels = list(zip(multipliers.tolist(), shifts.tolist(), *bounds, strict=True))
    rows = [thresholds_of(m, s, offset, low, high, target) for m, s, low, high in channels]
    if allowed == (target.code_min, target.code_max):
        found: list[tuple[int, int]] = []
        for (m, s, low, high), row in zip(channels, rows, strict=True):
            other = (m, s) if s >= 0 else (without_right_shift(m, s, row, offset, low, high, target), 0)
            if other[0] is None:
                break
            found.append((other[0], other[1]))
        if len(found) == len(channels):
            return Requantize(
                multiplier=np.array([m for m, _ in found]),
                shift=np.array([s for _, s in found]),
                output_zero_point=offset,
            )
    values = np.array(rows, np.int64)
    lows, highs = np.array(bounds[0])[:, None], np.array(bounds[1])[:, None]
    codes = np.arange(target.code_min + 1, target.code_max + 1)
    values = np.where(codes <= allowed[0], lows, np.where(codes > allowed[1], highs + 1, values))
    return Thresholds(values=values, direction=np.ones(len(values), np.int8))
