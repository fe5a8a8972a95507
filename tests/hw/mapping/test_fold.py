from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowloom.hw import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import array_folds, pool_fold, spaced
from rowloom.hw.mapping.window import Window, window_of
from rowloom.model.encodings import Binary
from rowloom.model.layers import Conv2d, Linear, MaxPool2d

WINDOW = Window(
    rows=3, taps=3, stride_y=1, stride_x=1, dilation_y=1, dilation_x=1, top=1, left=1, padded=True,
    height=8, width=6, filters=20,
)  # fmt: skip
PLAIN = Layout(shape=(8, 6, 9), bits=1, lanes=4, banks=4)
CONFIG = ArrayConfig(rows=12, cols=2, lanes=4)


def conv(**options):
    weights = np.zeros((5, 3, 2, 9), int)
    return Conv2d(name="c", input="a", output="b", weights=weights, weight_encoding=Binary(), **options)


def test_window_of_a_convolution():
    window = window_of(conv(stride=(2, 3), dilation=(2, 4), padding=(1, 2, 3, 4)), PLAIN, (4, 5, 5))
    assert (window.rows, window.taps, window.stride_y, window.stride_x) == (3, 2, 2, 3)
    assert (window.dilation_y, window.dilation_x, window.top, window.left, window.padded) == (2, 4, 1, 3, True)
    assert (window.height, window.width, window.filters) == (4, 5, 5)


def test_window_of_a_packed_map_is_one_tap_wide():
    packed = replace(PLAIN, window=2, stride=3, padding=1, columns=3)
    window = window_of(conv(stride=(2, 3), padding=(1, 0, 1, 0)), packed, (4, 3, 5))
    assert (window.taps, window.stride_x, window.left, window.stride_y, window.top) == (1, 1, 0, 2, 1)


def test_window_of_a_dense_layer_covers_the_map():
    layer = Linear(name="l", input="a", output="b", weights=np.zeros((7, 8, 6, 9), int), weight_encoding=Binary())
    window = window_of(layer, PLAIN, (1, 1, 7))
    assert (window.rows, window.taps, window.padded, window.height, window.width) == (8, 6, False, 1, 1)


def test_window_of_a_pool():
    layer = MaxPool2d(name="p", input="a", output="b", kernel=(3, 2), stride=(1, 2), padding=(1, 1, 0, 1))
    window = window_of(layer, PLAIN, (8, 3, 9))
    assert (window.rows, window.taps, window.stride_y, window.stride_x, window.top) == (3, 2, 1, 2, 1)


def test_dilation_of_a_single_row_is_none():
    layer = Conv2d(
        name="c", input="a", output="b", weights=np.zeros((1, 1, 2, 9), int), weight_encoding=Binary(), dilation=(5, 2)
    )
    window = window_of(layer, PLAIN, (8, 4, 1))
    assert (window.dilation_y, window.dilation_x) == (1, 2)


WINDOWS = st.builds(
    replace,
    st.just(WINDOW),
    rows=st.integers(1, 11),
    taps=st.integers(1, 5),
    stride_y=st.integers(1, 9),
    dilation_y=st.sampled_from([1, 1, 3]),
    height=st.integers(1, 20),
    width=st.integers(1, 9),
    filters=st.integers(1, 90),
)
CONFIGS = st.builds(
    ArrayConfig, rows=st.sampled_from([1, 2, 3, 6, 12, 16]), cols=st.integers(1, 6), lanes=st.sampled_from([4, 6, 8])
)


@given(WINDOWS, CONFIGS, st.sampled_from([2, 4, 8]))
def test_every_fold_covers_the_layer_and_reads_no_bank_twice(window, config, spare):
    banks = max(config.group, spare)
    folds = list(array_folds(window, PLAIN, config, chain=config.chain, stacked=False, banks=banks))
    assert folds
    for fold in folds:
        assert fold.strip <= config.cols
        assert (fold.strips - 1) * fold.strip < window.height <= fold.strips * fold.strip
        assert (fold.chunks - 1) * fold.chunk_rows < window.rows <= fold.chunks * fold.chunk_rows
        assert fold.blocks * fold.groups * config.drains >= window.filters
        assert fold.groups * fold.rows_summed <= config.chain
        assert fold.steps == fold.groups * fold.rows_summed
        assert fold.accumulation + fold.bubbles >= fold.steps
        assert fold.sum_rows == (fold.chunk_rows > 1)
        rows = {q * window.stride_y + j for q in range(fold.strip) for j in range(min(fold.chunk_rows, window.rows))}
        assert max(rows) < banks
        macs = window.height * window.width * window.filters * window.rows * window.taps * PLAIN.words
        assert fold.issue_cycles * config.rows * config.cols >= macs


@given(WINDOWS, CONFIGS)
def test_a_stacked_array_takes_all_rows_of_a_group_in_one_word(window, config):
    folds = list(array_folds(window, PLAIN, config, chain=1, stacked=True, banks=16))
    if window.dilation_y != 1:
        assert not folds
        return
    (fold,) = folds
    assert (fold.sum_rows, fold.rows_summed, fold.groups, fold.steps) == (True, 1, 1, 1)
    assert fold.chunk_rows == config.group


def test_cycles_of_a_chosen_fold():
    """3 x 3, 9 channels in words of 4, 20 filters on chains of 3 rows, 4 chains."""
    solo, summed = array_folds(WINDOW, PLAIN, CONFIG, chain=3, stacked=False, banks=4)
    assert (solo.sum_rows, solo.groups, solo.blocks, solo.chunks) == (False, 3, 2, 3)
    assert (summed.sum_rows, summed.groups, summed.blocks, summed.chunks) == (True, 1, 5, 1)
    assert (solo.accumulation, summed.accumulation) == (27, 9)
    assert (solo.strips, solo.pixels) == (4, 6)
    assert solo.issue_cycles == 4 * 6 * 2 * 27
    assert summed.issue_cycles == 4 * 6 * 5 * 9


def test_idle_cycles_give_the_drain_time():
    point = replace(WINDOW, rows=1, taps=1, padded=False)
    (fold,) = array_folds(point, replace(PLAIN, lanes=9), CONFIG, chain=3, stacked=False, banks=4)
    assert (fold.accumulation, fold.steps, fold.bubbles) == (1, 3, 2)
    assert fold.issue_cycles == 4 * 6 * 2 * 3


def test_pools_take_a_channel_word_at_a_time():
    fold = pool_fold(replace(WINDOW, rows=2, taps=2, stride_y=2, height=4, width=3), PLAIN, CONFIG, banks=4)
    assert (fold.blocks, fold.words, fold.chunks, fold.taps, fold.bubbles) == (3, 1, 1, 2, 0)
    assert fold.issue_cycles == 2 * 3 * 3 * 2


@pytest.mark.parametrize(("stride", "strip"), [(1, 4), (2, 3), (3, 2), (7, 1), (8, 1)])
def test_a_strip_never_needs_two_rows_of_a_bank(stride, strip):
    config = ArrayConfig(rows=3, cols=4, lanes=4)
    summed = list(array_folds(replace(WINDOW, stride_y=stride), PLAIN, config, chain=3, stacked=False, banks=8))[-1]
    assert summed.sum_rows
    assert summed.strip == strip


@pytest.mark.parametrize("planes", [2, 3, 8])
@pytest.mark.parametrize(("filters", "lanes", "chain"), [(20, 4, 3), (17, 4, 3), (40, 8, 6), (3, 4, 1), (24, 4, 6)])
def test_planes_of_a_word_are_written_before_the_next_word(planes, filters, lanes, chain):
    """Emissions counted one by one over two pixels, with as few idle cycles as do."""
    config = ArrayConfig(rows=2 * chain, cols=2, lanes=lanes, drains=2)
    window = replace(WINDOW, rows=1, taps=1, filters=filters)
    fold = next(array_folds(window, PLAIN, config, chain=chain, stacked=False, banks=4))
    used, filling = -(-filters // 2), lanes // 2

    def gaps(fold):
        period = fold.accumulation + fold.bubbles
        times, count = [], 0
        for pixel in range(3):
            emission = 0
            for block in range(fold.blocks):
                start = (pixel * fold.blocks + block) * period
                for group in range(fold.groups):
                    emission += 1
                    count = count % filling + 1 if emission <= used else 0
                    if count == filling or emission == used:
                        times.append(start + (group + 1) * fold.rows_summed)
                        count = 0
        return [after - before for before, after in pairwise(times)]

    found = spaced(fold, planes, word_emissions=filling, used=used)
    if found is None:  # two words of one block: no idle cycles between blocks help
        assert min(gaps(replace(fold, period=1000))) < planes
        return
    assert found.further == planes - 1
    assert min(gaps(found)) >= planes
    if found.bubbles > fold.bubbles:
        assert min(gaps(replace(found, period=found.period - 1))) < planes
