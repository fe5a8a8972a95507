import numpy as np
import pytest

from rowloom.model.arith import round_half_away
from rowloom.model.bisection import find_thresholds
from rowloom.model.encodings import Uniform
from rowloom.model.formats.tflite.single import thresholds_of


@pytest.mark.parametrize("powers", [False, True])
def test_thresholds_are_those_of_the_rounding(powers):
    """Halves among them, and sums that never or always reach a code."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        reals = 2.0 ** rng.integers(-14, 3, 7) if powers else np.exp(rng.uniform(-16, 3, 7))
        target = Uniform(bits=8, signed=True, zero_point=int(rng.integers(-128, 128)))
        lows, highs = (rng.integers(0, 1 << rng.integers(1, 26, 7)).tolist() for _ in range(2))
        lows = [-low for low in lows]

        def codes(sums, reals=reals, target=target):
            rounded = round_half_away(sums * reals).astype(np.int64) + target.zero_point
            return np.clip(rounded, target.code_min, target.code_max)

        found = find_thresholds("m", codes, target, lows, highs)
        assert np.array_equal(thresholds_of(reals, target, (lows, highs)), found.values)


@pytest.mark.parametrize("number", [0.5, 1.5, -0.5, -2.5, 0.25, np.nextafter(0.5, 0), np.nextafter(-0.5, 0), 2.0**52])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_halves_go_away_from_zero(number, dtype):
    x = np.array([number], dtype)
    exact = float(x[0])
    whole = int(abs(exact) + 0.5) if abs(exact) >= 0.5 else 0
    (got,) = round_half_away(x)
    assert got == np.copysign(whole, exact)
    assert got.dtype == dtype
