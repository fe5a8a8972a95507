"""Every rounding mode of QONNX, on floats as its executor rounds and on exact fractions."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rounding = Callable[[NDArray[Any]], NDArray[Any]]


def _half_up(x: NDArray[Any]) -> NDArray[Any]:
    return np.sign(x) * np.floor(np.abs(x) + x.dtype.type(0.5))


def _half_down(x: NDArray[Any]) -> NDArray[Any]:
    return np.sign(x) * np.ceil(np.abs(x) - x.dtype.type(0.5))


def _sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)


FLOATS: dict[str, Rounding] = {
    "ROUND": np.round,
    "HALF_EVEN": np.round,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "DOWN": np.fix,
    "ROUND_TO_ZERO": np.fix,
    "HALF_UP": _half_up,
    "HALF_DOWN": _half_down,
}
"""By name; UP and HALF_UP go away from zero, DOWN and HALF_DOWN towards it."""

FRACTIONS: dict[str, Callable[[Fraction], int]] = {
    "ROUND": round,
    "HALF_EVEN": round,
    "CEIL": math.ceil,
    "FLOOR": math.floor,
    "UP": lambda x: _sign(x) * math.ceil(abs(x)),
    "DOWN": math.trunc,
    "ROUND_TO_ZERO": math.trunc,
    "HALF_UP": lambda x: _sign(x) * math.floor(abs(x) + Fraction(1, 2)),
    "HALF_DOWN": lambda x: _sign(x) * math.ceil(abs(x) - Fraction(1, 2)),
}
