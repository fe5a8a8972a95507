import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rowloom
from rowloom.model.arith import count_thresholds, requantize
from rowloom.model.evaluate.code_table import MOST_ENTRIES, CodeTable

KINDS = (np.float32, np.float64, np.int64)


def around(table, bound, rng):
    """Sums [K, M] at and beside the ends of every channel, at the ends of all, and anywhere."""
    beside = [np.clip(end + step, -bound, bound) for end in (table.low, table.high) for step in (-2, -1, 0, 1, 2)]
    ends = [np.full_like(table.low, end) for end in (-bound, bound, 0)]
    return np.concatenate([np.stack(beside + ends), rng.integers(-bound, bound + 1, (500, len(table.low)))])


@given(
    st.integers(0, 1 << 30), st.sampled_from([40, 3000, 1 << 14]), st.sampled_from([np.float32, np.float64, np.int64])
)
@settings(deadline=None)
def test_equals_thresholds(seed, bound, kind):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.integers(-bound, bound + 2, (4, 40)), axis=1)
    values[1], values[2] = bound + 1, -bound  # never and always
    table = CodeTable.of(lambda sums: count_thresholds(sums, values), 4, bound, MOST_ENTRIES)
    sums = around(table, bound, rng)
    assert np.array_equal(table.codes(sums.astype(kind)), count_thresholds(sums, values))
    assert table.codes(sums.astype(kind)).dtype == np.uint8
    assert set((table.high - table.low + 1)[1:3]) == {1}


@given(st.integers(0, 1 << 30))
@settings(deadline=None)
def test_equals_requantize(seed):
    rng = np.random.default_rng(seed)
    multiplier, shift = rng.integers(1 << 30, 1 << 31, 5), rng.integers(-8, 1, 5)

    def code(sums):
        return requantize(sums, multiplier=multiplier, shift=shift, zero_point=-7, code_min=-128, code_max=127)

    table = CodeTable.of(code, 5, 1 << 20, MOST_ENTRIES)
    sums = around(table, 1 << 20, rng)
    assert np.array_equal(table.codes(sums.copy()), code(sums))


def test_sums_that_a_float32_just_holds():
    bound = (1 << 24) - 2
    values = np.array([[bound - 3, bound - 1, bound], [-bound, 1 - bound, 5 - bound]])
    table = CodeTable.of(lambda sums: count_thresholds(sums, values), 2, bound, MOST_ENTRIES)
    sums = around(table, bound, np.random.default_rng(0))
    assert np.array_equal(table.codes(sums.astype(np.float32)), count_thresholds(sums, values))


def test_none_where_it_would_be_too_large():
    values = np.array([[1, 1001]])
    assert CodeTable.of(lambda sums: count_thresholds(sums, values), 1, 2000, 1002) is not None
    assert CodeTable.of(lambda sums: count_thresholds(sums, values), 1, 2000, 1001) is None


@pytest.mark.parametrize("name", ["fashion-w8a8", "resnet20", "ds-cnn"])
def test_many_images_at_once_equal_each_alone(name):
    """Many are looked up, one is not."""
    net = rowloom.load(name)
    tensor = net.tensor(net.input)
    images = np.random.default_rng(0).integers(
        tensor.encoding.code_min, tensor.encoding.code_max + 1, (40, *tensor.shape)
    )
    together = net.run(images, keep="all")
    for i in (0, 17, 39):
        alone = net.run(images[i : i + 1], keep="all")
        for name, codes in alone.items():
            assert np.array_equal(codes[0], together[name][i]), name
            assert codes.dtype == together[name].dtype
