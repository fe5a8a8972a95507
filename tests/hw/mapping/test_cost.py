import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cost import Bram, estimate
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
