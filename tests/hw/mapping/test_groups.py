"""Which convolutions run as a layer for each group."""

import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, Ternary, Uniform
from tests.hw.graphs import Graph

NARROW = Uniform(bits=2, signed=False)
SAME = (1, 1, 1, 1)
CONFIG = ArrayConfig(rows=6, cols=2, lanes=4)


def names(network, config=CONFIG):
    return [plan.name for plan in compile_network(network, config).layers]


def test_groups_are_layers_where_that_takes_fewer_words():
    """Two slices of three words take less than two times five words; two of one word as much as one of two."""
    g = Graph((6, 7, 5), NARROW, weights=Ternary(), seed=1)
    a = g.conv("input", 20)
    b = g.conv(a, 8, groups=2)
    g.conv(b, 4, (1, 1), groups=2)
    network = g.network()
    assert names(network) == ["conv2d0", "conv2d1/0", "conv2d1/1", "conv2d2"]
    assert names(network, ArrayConfig(rows=6, cols=2, lanes=32)) == ["conv2d0", "conv2d1", "conv2d2"]


def test_macs_and_cycles_are_those_of_all_groups():
    g = Graph((6, 7, 5), NARROW, weights=Ternary(), seed=1)
    g.conv(g.conv(g.conv("input", 16), 16, padding=SAME, groups=4), 5, raw=True)
    network = g.network()
    design = compile_network(network, CONFIG)
    assert [plan.macs for plan in design.layers[1:5]] == [network.macs(network.layer("conv2d1")) // 4] * 4
    assert design.macs == network.macs()
    assert design.network is network


@pytest.mark.parametrize("filters", [16, 18])
def test_a_sum_of_maps_keeps_groups_together_whose_parts_would_leave_holes(filters):
    """A part of nine channels ends within a word of four: the map that it is added to has no such hole."""
    g = Graph((6, 7, 5), NARROW, weights=Ternary(), seed=1)
    a = g.pool(g.conv("input", filters), (1, 1))
    b = g.conv(a, filters, padding=SAME, groups=2)
    g.conv(g.add(a, b, multipliers=(1, 1)), 5, raw=True)
    groups = ["conv2d2/0", "conv2d2/1"] if filters == 16 else ["conv2d2"]
    assert names(g.network()) == ["conv2d0", "max_pool2d1", *groups, "add3", "conv2d4"]


def test_raw_sums_leave_as_one_tensor():
    g = Graph((6, 7, 5), NARROW, weights=Ternary(), seed=1)
    g.conv(g.conv("input", 16), 16, groups=2, raw=True)
    assert names(g.network()) == ["conv2d0", "conv2d1"]


def test_groups_without_a_weight_of_0_get_words_of_their_own():
    """Eighteen channels take five words of four; the nine of a group take three, with a hole behind them."""
    g = Graph((6, 7, 6), Binary(), weights=Binary(), seed=1)
    a = g.pool(g.conv("input", 18))
    g.dense(g.conv(a, 8, (2, 2), groups=2), 5, raw=True)
    design = compile_network(g.network(), CONFIG)
    assert [plan.name for plan in design.layers[2:4]] == ["conv2d2/0", "conv2d2/1"]
    layout = design.layout("max_pool2d1")
    assert layout.words == 6
    assert layout.order == (*range(9), *range(12, 21))
