from dataclasses import replace

import pytest

from rowloom.hw.lane_parameters import LineParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cycles import array_cycles, load_cycles, pool_cycles
from rowloom.hw.mapping.fold import Fold
from tests.hw.machines import hardware

FOLD = Fold(
    sum_rows=True, rows_summed=3, groups=1, strip=2, strips=4, pixels=6, blocks=5, chunks=1, taps=3, words=3,
    chunk_rows=3, steps=3,
)  # fmt: skip


def test_an_array_takes_its_record_its_nest_and_its_pipeline():
    assert FOLD.issue_cycles == 4 * 6 * 5 * 9
    assert array_cycles(FOLD, latency=4, code=3, record_words=30) == 30 + 2 + 1080 + 5 + 4 + 2 + 3 + 3


def test_the_idle_cycles_after_the_last_block_are_not_waited_for():
    short = replace(FOLD, taps=1, words=1)
    assert (short.accumulation, short.bubbles) == (1, 2)
    assert array_cycles(short, latency=1, code=3, record_words=0) == 2 + (4 * 6 * 5 * 3 - 2) + 5 + 1 + 2 + 3 + 3


def test_pairs_of_planes_follow_each_other():
    planes = replace(FOLD, planes=8, further=2)
    assert planes.accumulation == 8 * FOLD.accumulation
    assert array_cycles(planes, latency=4, code=3, record_words=30) == 30 + 2 + 8 * 1080 + 5 + 4 + 2 + 3 + 3 + 2


@pytest.mark.parametrize("levels", range(1, 9))
def test_each_bit_of_a_code_takes_three_cycles_by_table_and_one_by_division(levels):
    straight = LineParameters(fraction=2, step_bits=5, kept_bits=6, remainder_bits=9, bent=False)
    lines = (None, straight, replace(straight, bent=True), replace(straight, mends=1, nudge_bits=2))
    table, division, bent, mended = (hardware(levels=levels, line=line).code_cycles for line in lines)
    assert (table, division, bent, mended) == (3 * levels, 2 + levels, 3 + levels, 3 + levels)
    one, more = (array_cycles(FOLD, latency=4, code=cycles, record_words=30) for cycles in (3, table))
    assert more - one == 3 * (levels - 1)


def test_a_pool_has_no_drain():
    fold = replace(FOLD, rows_summed=1, steps=1, words=1)
    assert pool_cycles(fold, record_words=30) == 30 + 2 + 4 * 6 * 5 * 3 + 2 + 6


@pytest.mark.parametrize(
    ("layout", "cycles"),
    [
        (Layout(shape=(3, 5, 2), bits=8, lanes=4, banks=4), 3 * (5 * 2 + 1)),
        (Layout(shape=(3, 5, 1), bits=8, lanes=4, banks=4, window=3, padding=1, columns=5), 3 * (5 + 1 + 1)),
        (Layout(shape=(3, 5, 2), bits=8, lanes=8, banks=4, window=3, stride=2, columns=2), 3 * (5 * 2 + 1)),
        (Layout(shape=(3, 5, 6), bits=4, lanes=4, banks=4, planes=True), 3 * (5 * (6 + 2 * 3) + 1)),
        (
            Layout(shape=(3, 5, 2), bits=8, lanes=8, banks=4, window=3, stride=2, columns=2, planes=True),
            3 * (5 * 2 + 2 * 7 + 1),
        ),
    ],
    ids=["plain", "padded-window", "window", "planes", "window-planes"],
)
def test_loading_takes_a_cycle_a_code_one_a_further_plane_and_one_a_row(layout, cycles):
    assert load_cycles(layout) == cycles
