import numpy as np
import pytest

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.post import Requantize, Thresholds


def thresholds(values, direction):
    return Thresholds(values=np.array(values), direction=np.array(direction))


def requantize(multiplier, shift):
    return Requantize(multiplier=np.array(multiplier), shift=np.array(shift))


def test_arrays_are_read_only_integers():
    post = thresholds([[1, 1], [-3, 8]], [1, -1])
    assert (post.values.dtype, post.direction.dtype) == (np.int64, np.int8)
    assert not post.values.flags.writeable
    assert not post.direction.flags.writeable


@pytest.mark.parametrize(
    ("values", "direction", "message"),
    [
        ([[2, 1]], [1], r"^thresholds: values must ascend along their last axis$"),
        ([[1], [2]], [1], r"^thresholds: direction must have 2 entries, not 1$"),
        ([[1]], [0], r"^thresholds: direction must be -1 or \+1 for every channel$"),
        ([[0.5]], [1], r"^thresholds: must be integers, not float64$"),
        ([1], [1], r"^thresholds: must have 2 axes, not 1$"),
    ],
)
def test_thresholds_refuse(values, direction, message):
    with pytest.raises(RowloomError, match=message):
        thresholds(values, direction)


def test_thresholds_must_suit_channels_and_encoding():
    post = thresholds([[1], [2]], [1, 1])
    post.check("conv1", Binary(), [-5, -5], [5, 5])
    with pytest.raises(RowloomError, match=r"^conv1: has 2 thresholds, must have one for each of 3$"):
        post.check("conv1", Binary(), [-5] * 3, [5] * 3)
    with pytest.raises(RowloomError, match=r"^conv1: has 1 thresholds a channel, Uniform\(.*\) needs 3$"):
        post.check("conv1", Uniform(bits=2, signed=False), [-5, -5], [5, 5])


@pytest.mark.parametrize(
    ("multiplier", "shift", "message"),
    [
        ([-1], [0], r"^requantize multiplier: must be in 0 to 2147483647, not -1$"),
        ([1 << 31], [0], r"^requantize multiplier: must be in 0 to 2147483647, not 2147483648$"),
        ([1], [31], r"^requantize shift: must be in -31 to 30, not 31$"),
        ([1], [-32], r"^requantize shift: must be in -31 to 30, not -32$"),
        ([1, 1], [0], r"^requantize: has 1 shifts, must have one for each of 2$"),
    ],
)
def test_requantize_refuses(multiplier, shift, message):
    with pytest.raises(RowloomError, match=message):
        requantize(multiplier, shift)


def test_requantize_takes_sums_that_stay_in_32_bits():
    post = requantize([1 << 30], [4])
    post.check("fc", Uniform(bits=8, signed=True), [-(1 << 27)], [(1 << 27) - 1])
    with pytest.raises(
        RowloomError, match=r"^fc: a sum of 0 to 134217728 shifted left by 4 is wider than 32 bits, requantize takes"
    ):
        post.check("fc", Uniform(bits=8, signed=True), [0], [1 << 27])
