import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowloom.model.bounds import channel_bounds, check_width, magnitude_bound, signed_bits, sum_bounds
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Linear


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(-4, 4))
def test_bounds_are_reached_by_some_input_and_never_passed(seed, signed, zero_point):
    rng = np.random.default_rng(seed)
    encoding = Uniform(bits=2, signed=signed, zero_point=zero_point)
    weight_encoding = Uniform(bits=3, signed=True)
    layer = Linear(
        name="fc",
        input="a",
        output="b",
        weights=rng.integers(-4, 4, (3, 1, 2, 2)),
        weight_encoding=weight_encoding,
        bias=rng.integers(-9, 9, 3),
    )
    grid = np.stack(np.meshgrid(*[np.arange(encoding.min, encoding.max + 1)] * 4), axis=-1).reshape(-1, 4)
    sums = grid @ layer.weights.reshape(3, -1).astype(np.int64).T + layer.bias
    lows, highs = channel_bounds(layer, encoding)
    assert lows == sums.min(axis=0).tolist()
    assert highs == sums.max(axis=0).tolist()
    assert magnitude_bound(layer, encoding) >= np.abs(sums).max()


@pytest.mark.parametrize(("pad_value", "low"), [(None, 0), (-2, -18)])
def test_padding_widens_a_range_without_zero(pad_value, low):
    # Inputs 2 to 5 and a padded tap of 0 (or -2); weights +1 nine times, of which 3 x 3 may be padding.
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=np.ones((1, 3, 3, 1), int),
        weight_encoding=Binary(),
        padding=(1, 1, 1, 1),
        pad_value=pad_value,
    )
    lows, highs = channel_bounds(layer, Uniform(bits=2, signed=False, zero_point=-2))
    assert lows == [low]
    assert highs == [45]


@pytest.mark.parametrize("zero_point", [-3, 0, 2, 9])
@pytest.mark.parametrize("count_include_pad", [False, True])
def test_bounds_of_an_average_are_reached_and_never_passed(count_include_pad, zero_point):
    """Windows of 1, 2 and 4 taps; one bit a pixel, so that every map can be tried."""
    encoding = Uniform(bits=1, signed=False, zero_point=zero_point)
    layer = AveragePool2d(
        name="p", input="a", output="b", kernel=(2, 2), stride=(1, 1), padding=(1, 0, 0, 1), bias=np.array([7]),
        count_include_pad=count_include_pad,
    )  # fmt: skip
    values = encoding.decode(np.arange(1 << 6)[:, None] >> np.arange(6) & 1).reshape(-1, 3, 2)
    padded = np.pad(values, ((0, 0), (1, 0), (0, 1)))
    on_map = np.pad(np.ones((3, 2), int), ((1, 0), (0, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(1, 2)).sum(axis=(3, 4))
    counts = np.lib.stride_tricks.sliding_window_view(on_map, (2, 2)).sum(axis=(2, 3))
    sums = 7 + (windows if count_include_pad else windows * 4 // counts)
    assert sum_bounds(layer, [(3, 2, 1)], [encoding]) == ([sums.min()], [sums.max()])


def test_bounds_of_an_addition_are_those_of_its_tables():
    encodings = [Uniform(bits=2, signed=True), Binary()]
    tables = (np.array([4, -9, 2, 0]), np.array([100, 3]))
    layer = Add(name="a", inputs=("x", "y"), output="z", tables=tables, bias=np.array([0, 1000]))
    assert sum_bounds(layer, [(1, 1, 2)] * 2, encodings) == ([-6, 994], [104, 1104])


@given(st.integers(-(1 << 50), 1 << 50), st.integers(0, 1 << 50))
def test_signed_bits_is_the_narrowest(low, extent):
    high = low + extent
    bits = signed_bits(low, high)
    assert -(1 << (bits - 1)) <= low
    assert high < 1 << (bits - 1)
    narrower = bits - 1
    if narrower:
        assert not (-(1 << (narrower - 1)) <= low and high < 1 << (narrower - 1))


def test_over_48_bits_names_the_layer():
    check_width("conv9", -(1 << 47), (1 << 47) - 1)
    with pytest.raises(RowloomError, match=r"^conv9: its sums need 49 bits, must be at most 48$"):
        check_width("conv9", 0, 1 << 47)
