import numpy as np
import pytest

from rowloom.hw.layout import Layout
from tests.hw.maps import store


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 4), (4, 6, 9), (9, 2, 8)])
@pytest.mark.parametrize(("bits", "signed"), [(1, False), (3, True), (8, False)])
@pytest.mark.parametrize("banks", [1, 4])
@pytest.mark.parametrize("planes", [False, True])
def test_extract_finds_what_was_stored(shape, bits, signed, banks, planes):
    rng = np.random.default_rng(bits)
    layout = Layout(shape=shape, bits=bits, lanes=4, banks=banks, signed=signed, planes=planes, base=3)
    low = -(1 << bits - 1) if signed else 0
    codes = rng.integers(low, low + (1 << bits), shape)
    assert np.array_equal(layout.extract(store(layout, codes)), codes)


@pytest.mark.parametrize(
    ("width", "window", "stride", "padding", "columns"),
    [(7, 3, 1, 1, 7), (7, 3, 2, 0, 3), (6, 5, 1, 4, 10), (5, 2, 2, 1, 3)],
)
@pytest.mark.parametrize("planes", [False, True])
def test_extract_of_windows(width, window, stride, padding, columns, planes):
    """Columns that no window holds stay zero."""
    rng = np.random.default_rng(width)
    layout = Layout(
        shape=(4, width, 2), bits=4, lanes=10, banks=2, window=window, stride=stride, padding=padding, columns=columns,
        planes=planes,
    )  # fmt: skip
    codes = rng.integers(0, 16, layout.shape)
    seen = {f * stride - padding + s for f in range(columns) for s in range(window)}
    codes[:, [x for x in range(width) if x not in seen]] = 0
    assert layout.packed
    assert layout.width == columns
    assert np.array_equal(layout.extract(store(layout, codes)), codes)


@pytest.mark.parametrize("deep", [1, 2, 4])
@pytest.mark.parametrize(("width", "window", "stride", "padding", "columns"), [(7, 3, 1, 1, 7), (9, 5, 2, 0, 3)])
def test_extract_of_windows_of_several_words(width, window, stride, padding, columns, deep):
    """Six codes or ten in words of four; nine input rows in rows of one, two or four."""
    rng = np.random.default_rng(width)
    layout = Layout(
        shape=(9, width, 2), bits=4, lanes=4, banks=2, window=window, stride=stride, padding=padding, columns=columns,
        deep=deep, base=1,
    )  # fmt: skip
    codes = rng.integers(0, 16, layout.shape)
    seen = {f * stride - padding + s for f in range(columns) for s in range(window)}
    codes[:, [x for x in range(width) if x not in seen]] = 0
    assert (layout.rows, layout.window_words) == (-(-9 // deep), -(-window * 2 // 4))
    assert np.array_equal(layout.extract(store(layout, codes)), codes)


def test_sizes():
    layout = Layout(shape=(9, 5, 10), bits=1, lanes=4, banks=4)
    assert (layout.words, layout.row_words, layout.depth, layout.packed) == (3, 15, 45, False)
    assert (layout.width, layout.channels) == (5, 10)


def test_sizes_of_planes():
    """Three words of four lanes a pixel, each stored as eight words of four bits."""
    layout = Layout(shape=(9, 5, 10), bits=8, lanes=4, banks=4, planes=True)
    assert (layout.words, layout.word_planes, layout.word_bits, layout.pixel_words) == (3, 8, 4, 24)
    assert (layout.row_words, layout.depth) == (5 * 24, 3 * 5 * 24)
    plain = Layout(shape=(9, 5, 10), bits=8, lanes=4, banks=4)
    assert (plain.word_planes, plain.word_bits, plain.pixel_words) == (1, 32, 3)
