import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cost import Bram, estimate, lanes, memories
from rowloom.hw.parameters import LineParameters
from tests.hw.machines import hardware
from tests.hw.networks import Conv, Dense, make_network

NETWORK = make_network([Conv(filters=24), Conv(filters=48), Dense(filters=10)], shape=(16, 16, 1))


def cost(rows, cols, lanes):
    return estimate(compile_network(NETWORK, ArrayConfig(rows=rows, cols=cols, lanes=lanes)).hardware)


@pytest.mark.parametrize(
    ("small", "large"),
    [((3, 1, 8), (6, 1, 8)), ((6, 1, 8), (12, 1, 8)), ((6, 2, 8), (6, 2, 16)), ((6, 2, 16), (6, 4, 16))],
    ids=["rows", "more-rows", "lanes", "columns"],
)
def test_a_larger_array_costs_more(small, large):
    less, more = cost(*small), cost(*large)
    assert less.lut4 < more.lut4
    assert less.ff < more.ff


def test_a_cost_is_whole_cells():
    made = cost(3, 1, 8)
    assert all(isinstance(value, int) and value >= 0 for value in (made.lut4, made.ff, made.bram, made.dsp))


@pytest.mark.parametrize(
    ("width", "depth", "blocks"), [(36, 512, 1), (36, 513, 2), (37, 512, 2), (1, 18_432, 2), (1, 16_384, 1)]
)
def test_blocks_of_a_memory(width, depth, blocks):
    assert Bram(bits=18_432, width=36).blocks(width, depth) == blocks


NARROW = LineParameters(fraction=4, step_bits=13, kept_bits=12, remainder_bits=16, bent=False)
WIDE = LineParameters(fraction=14, step_bits=23, kept_bits=17, remainder_bits=31, bent=False)
BENT = LineParameters(fraction=12, step_bits=22, kept_bits=18, remainder_bits=31, bent=True)


@pytest.mark.parametrize(
    ("line", "sum_bits", "levels", "cols", "lut4", "ff"),
    [
        (NARROW, 18, 3, 1, 89, 114),
        (NARROW, 18, 3, 3, 267, 268),
        (WIDE, 23, 8, 1, 412, 624),
        (WIDE, 23, 8, 3, 1236, 1408),
        (BENT, 27, 8, 1, 462, 787),
        (BENT, 27, 8, 3, 1386, 1797),
    ],
)
def test_a_lane_that_divides_costs_what_synthesis_finds(line, sum_bits, levels, cols, lut4, ff):
    """Within a tenth of the LUT4 and a fifth of the flip-flops of `synth_ecp5 -abc9 -nowidelut` on the lane alone."""
    found_lut4, found_ff = lanes(hardware(drains=1, cols=cols, sum_bits=sum_bits, levels=levels, line=line))
    assert abs(found_lut4 - lut4) < 0.1 * lut4
    assert abs(found_ff - ff) < 0.2 * ff


def test_a_lane_that_divides_has_one_memory_and_tables_have_one_a_bit():
    names = [set(memories(hardware(levels=8, line=line, threshold_depth=600))) for line in (WIDE, None)]
    assert "thresholds" in names[0] & names[1]
    assert sum(name.startswith("thresholds") for name in names[0]) == 1
    assert sum(name.startswith("thresholds") for name in names[1]) == 8
    _, width, _ = memories(hardware(levels=8, line=WIDE, sum_bits=23, threshold_depth=600))["thresholds"]
    assert width == 23 + 14 + 23 + 8
