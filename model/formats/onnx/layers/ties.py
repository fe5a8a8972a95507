"""Thresholds that the rounding of the executor's floats decides, not the numbers in the file."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.numbers.quantizers import MultiThreshold, Quantizer
from rowloom.model.formats.onnx.signal import Carrier, Signal
from rowloom.model.layers import AveragePool2d
from rowloom.model.post import Thresholds

_NOISE = 2.0**-21
"""Relative distance from where a code changes within which float32 may go either way."""

_SUMMED = 2.0**-26
"""Relative to the greatest sum: how far a float32 sum may lie from the true one, by the order of its terms."""

_NEAR = 1e-11
"""Relative distance from where a code changes at which float64 may be wrong, so that fractions decide."""

_MANTISSA = 1 << 24
"""Integers below it are float32 numbers."""


def find_ties(
    signal: Signal, quantizer: Quantizer, thresholds: Thresholds, names: Mapping[str, str]
) -> NDArray[np.bool_]:
    """Return which thresholds [M, N] the executor's float32 decides.

    They are elsewhere than the file's numbers, taken exactly, would have them; or a sum beside them, which float32
    cannot hold, is so near to where the code changes that the order in which the executor adds may decide.
    """
    carrier = signal.carrier
    assert carrier is not None
    direction = thresholds.direction.astype(np.int64)
    codes = quantizer.encoding.every_code
    low, high = np.array(carrier.lows), np.array(carrier.highs)
    columns = signal.fractions(names)
    own = [[Fraction(float(v)) for v in p] for p in signal.columns(quantizer.parameters, names)]
    wrong = np.zeros(thresholds.values.shape, bool)
    doubles = tuple(p.astype(np.float64) for p in signal.columns(quantizer.parameters, names))
    plain = isinstance(quantizer, MultiThreshold) or all((np.frexp(np.abs(p))[0] == 0.5).all() for p in doubles)
    swayed = _sway(carrier)
    parameters = [column for columns_of in (*columns, own) for column in columns_of]
    varied = any(len(numbers) > 1 for numbers in (carrier.unit, carrier.offset, *parameters))
    for back in (0, 1):
        integers = (thresholds.values - back) * direction[:, None]
        inside = (integers >= low[:, None]) & (integers <= high[:, None])
        x = np.clip(integers, low[:, None], high[:, None]).T
        with np.errstate(all="ignore"):
            real = carrier.start(x, np.float64)
            y = signal.evaluate(real, names)
            below, above = (quantizer.codes(y * (1 + sign * _NEAR) + sign * 1e-300, doubles).T for sign in (-1, 1))
            wide = signal.evaluate(carrier.start(x, np.longdouble), names)
            at = quantizer.codes(y, doubles).T
            single = signal.evaluate(carrier.start(x, np.float32), names)
            both = np.stack([_shaken(signal, quantizer, real, swayed, sign, names, doubles) for sign in (-1, 1)])
        either = both.min(axis=0) != both.max(axis=0)
        wrong |= inside & either & ((single != y) | (swayed > 0)).T
        wanted = np.broadcast_to(codes[1:], wrong.shape)
        # What more bits do not change was not rounded: float64 is exact there, on a tie too.
        unrounded = (wide == y).T if plain else np.False_
        reached_low = np.where(unrounded, at, below) >= wanted
        reached_high = np.where(unrounded, at, above) >= wanted
        sure = reached_low == reached_high
        wrong |= inside & sure & (reached_low != (back == 0))
        known: dict[tuple[int, int, int], bool] = {}
        for m, n in np.argwhere(inside & ~sure).tolist():
            key = (int(integers[m, n]), n, m if varied else 0)
            if key not in known:
                exact = signal.exact(carrier.exact(key[0], m), m, columns)
                code = quantizer.exact(exact, tuple(p[m % len(p)] for p in own))
                known[key] = (code >= int(codes[n + 1])) != (back == 0)
            wrong[m, n] |= known[key]
    return wrong


def count_table_ties(
    signal: Signal, quantizer: Quantizer, integers: NDArray[np.int64], names: Mapping[str, str]
) -> int:
    """Return how many of a table's codes [K, M] the executor's approximations of functions decide."""
    if all(function.rational for function in signal.chain):
        return 0
    assert signal.carrier is not None
    doubles = tuple(p.astype(np.float64) for p in signal.columns(quantizer.parameters, names))
    with np.errstate(all="ignore"):
        real = signal.carrier.start(integers, np.float64)
        still = np.zeros(1)
        below, above = (_shaken(signal, quantizer, real, still, sign, names, doubles) for sign in (-1, 1))
    return int((below != above).sum())


def _shaken(
    signal: Signal,
    quantizer: Quantizer,
    real: NDArray[np.float64],
    swayed: NDArray[np.float64],
    sign: int,
    names: Mapping[str, str],
    parameters: tuple[NDArray[Any], ...],
) -> NDArray[np.int64]:
    """Return the codes [M, K] of sums [K, M] that the executor's roundings have all moved one way."""
    x = real + sign * (swayed + np.abs(real) * _NOISE * (swayed > 0))
    for function in signal.chain:
        columns = tuple(p.astype(np.float64) for p in signal.columns(function.parameters, names))
        x = function.shaken(x, columns, sign)
    return np.broadcast_to(quantizer.codes(x * (1 + sign * _NOISE), parameters), real.shape).T


def _sway(carrier: Carrier) -> NDArray[np.float64]:
    """Return how far the executor's sums [M] may lie from the true ones; 0 where float32 holds every partial sum."""
    result = []
    for m in range(carrier.channels):
        unit, offset = carrier.unit[m % len(carrier.unit)], carrier.offset[m % len(carrier.offset)]
        most = max(abs(carrier.lows[m % len(carrier.lows)]), abs(carrier.highs[m % len(carrier.highs)]))
        reach = most * abs(unit) + abs(offset)
        held = _held(unit, offset, reach, isinstance(carrier.layer, AveragePool2d))
        result.append(0.0 if held else float(reach) * _SUMMED)
    return np.array(result)


def _held(unit: Fraction, offset: Fraction, reach: Fraction, averaged: bool) -> bool:
    """Whether float32 holds all multiples of a unit, with an offset, up to a reach.

    What an average is divided by does not count: that is one rounding, of which the chain knows. Sums of averages are
    sums of what was rounded.
    """
    if not averaged and any(each.denominator & (each.denominator - 1) for each in (unit, offset)):
        return False
    parts = [each for each in (unit, offset) if each]
    divisor = unit.denominator // (unit.denominator & -unit.denominator)
    step = min(Fraction(each.numerator & -each.numerator, each.denominator & -each.denominator) for each in parts)
    return reach * divisor < _MANTISSA * step
