"""The integers behind weights."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Binary, Encoding, PowerOfTwo, Ternary
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.folding import Constant, Grid
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between

MOST_BITS = 16


@dataclass(frozen=True, eq=False)
class Weights:
    """Integers [M, ...] and what an integer of 1 stands for in each filter."""

    values: NDArray[np.int64]
    units: tuple[Fraction, ...]
    encoding: Encoding

    @property
    def codes(self) -> NDArray[Any]:
        """The integers' codes."""
        return self.encoding.encode(self.values)


def weights_of(constant: Constant, filters: int) -> Weights:
    """Return the integers behind weights, whose axis ``filters`` counts the filters and comes first in the result.

    Raises
    ------
    Misfit
        If there are none: the weights are floats.
    """
    data = np.moveaxis(constant.data, filters, 0)
    if constant.grid is not None:
        grid = constant.grid
        values = np.moveaxis(grid.values, filters, 0)
        scale = np.moveaxis(np.broadcast_to(grid.scale, grid.values.shape), filters, 0)
        rows = scale.reshape(len(scale), -1)
        if rows.shape[1] and np.all(rows == rows[:, :1]):
            return _encoded(values, [Fraction(float(each)) for each in rows[:, 0]], grid)
        return _rational(values, rows, grid)
    if data.dtype.kind in "iu":
        return _encoded(data.astype(np.int64), [Fraction(1)] * len(data), None)
    if not np.isfinite(data).all():
        raise Misfit("has weights that are not finite")
    if np.array_equal(data, np.rint(data)) and np.abs(data).max(initial=0) < 1 << (MOST_BITS - 1):
        return _encoded(data.astype(np.int64), [Fraction(1)] * len(data), None)
    return _guessed(data)


def common_unit(numbers: Iterable[Fraction]) -> Fraction:
    """Return the greatest number of which all are integer multiples; 0 of none but zeros."""

    def common(a: Fraction, b: Fraction) -> Fraction:
        return Fraction(
            math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator
        )

    return reduce(common, (abs(number) for number in numbers), Fraction(0))


def _encoded(values: NDArray[np.int64], units: list[Fraction], grid: Grid | None) -> Weights:
    return Weights(values, tuple(units), encoding_for(values, grid.encoding if grid is not None else None))


def encoding_for(values: NDArray[np.int64], given: Encoding | None, most: int = MOST_BITS) -> Encoding:
    """Return the encoding of integers: that which the file gives, or the simplest that holds them."""
    if isinstance(given, Binary | PowerOfTwo):
        return given
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if given is None or (given.bits <= 2 and not getattr(given, "zero_point", 0)):
        if values.size and (np.abs(values) == 1).all():
            return Binary()
        if -1 <= low < 0 and high <= 1:
            return Ternary()
    if given is not None and given.min <= low and high <= given.max:
        return given
    encoding = uniform_between(low, high)
    if encoding.bits > most:
        raise Misfit(f"has weights of {encoding.bits} bits, where {most} is the most")
    return encoding


def _rational(values: NDArray[np.int64], scales: NDArray[np.float32], grid: Grid) -> Weights:
    """Scales that differ within a filter: integers of a common unit, if there is one."""
    rows, units = [], []
    flat = values.reshape(len(values), -1)
    for row, scale in zip(flat, scales, strict=True):
        distinct = {each: Fraction(float(each)) for each in np.unique(scale)}
        unit = common_unit(distinct.values())
        if max(distinct.values()) / unit >= 1 << MOST_BITS:
            raise Misfit("has weights of scales that differ within a filter and share no unit")
        factors = {each: int(number / unit) for each, number in distinct.items()}
        rows.append([int(v) * factors[s] for v, s in zip(row.tolist(), scale, strict=True)])
        units.append(unit)
    integers = np.array(rows, np.int64).reshape(values.shape)
    return Weights(integers, tuple(units), encoding_for(integers, None))


def _guessed(data: NDArray[Any]) -> Weights:
    """Floats without a quantizer that are, in each filter, small multiples of the least of them."""
    flat = np.abs(data.reshape(len(data), -1).astype(np.float64))
    least = np.where(flat > 0, flat, np.inf).min(axis=1, initial=np.inf)
    unit = np.where(np.isfinite(least), least, 1.0)
    multiples = data / unit.reshape(-1, *(1,) * (data.ndim - 1))
    if not np.array_equal(multiples, np.rint(multiples)) or np.abs(multiples).max(initial=0) >= 1 << 7:
        raise Misfit("has weights that are floats, where quantized ones are needed")
    return _encoded(multiples.astype(np.int64), [Fraction(float(each)) for each in unit], None)
