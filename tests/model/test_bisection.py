import numpy as np
import pytest

from rowloom.model.bisection import find_thresholds, first_reached
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError


def test_first_reached_tries_no_integer_beyond_the_ends():
    rng = np.random.default_rng(0)
    low, high = rng.integers(-50, 0, (3, 40)), rng.integers(0, 50, 40)
    wanted = rng.integers(-80, 80, (3, 40))  # some at once, some never

    def reached(integers):
        assert (integers >= low).all()
        assert (integers <= high).all()
        return integers >= wanted

    assert np.array_equal(first_reached(reached, low, high), np.clip(wanted, low, high + 1))


def test_thresholds_of_channels_that_rise_and_fall():
    encoding = Uniform(bits=4, signed=True)
    slopes = np.array([3, -2, 0])

    def codes(sums):
        return np.clip(sums * slopes // 16, -8, 7)

    lows, highs = [-100, -70, -5], [100, 40, 5]
    found = find_thresholds("here", codes, encoding, lows, highs)
    assert found.direction.tolist() == [1, -1, 1]
    for m in range(3):
        sums = np.arange(lows[m], highs[m] + 1)
        counted = (found.direction[m] * sums[:, None] >= found.values[m]).sum(axis=1) - 8
        assert np.array_equal(counted, np.clip(sums * slopes[m] // 16, -8, 7))


def test_what_does_both_is_refused():
    with pytest.raises(RowloomError, match=r"^here: neither rises nor falls with its sum, need a monotone activation$"):
        find_thresholds("here", lambda sums: np.abs(sums) // 2, Uniform(bits=3, signed=False), [-9], [9])
