"""Layers that move pixels and channels, against the golden model: values and cycles, with and without copies."""

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, PowerOfTwo, Ternary, Uniform
from rowloom.model.errors import RowloomError
from tests.hw.graphs import CONFIGS, Graph, assert_exact, on_both_arrays

TERNARY = Ternary()
NARROW = Uniform(bits=2, signed=False)
SAME = (1, 1, 1, 1)


def graph(shape=(6, 7, 6), encoding=NARROW, weights=TERNARY, seed=1, **fields):
    return Graph(shape, encoding, weights=weights, seed=seed, **fields)


def upsampled():
    """For a convolution, a pool, a depthwise layer and a sum; by 1, 2 and 3."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.upsample(a, 2)
    c = g.add(g.depthwise(b, padding=SAME), g.conv(b, 6, padding=SAME), multipliers=(1, 1))
    d = g.upsample(g.upsample(g.pool(g.conv(c, 5), (3, 3), padding=SAME), 3), 1)
    g.dense(g.average(d, (3, 4)), 5, raw=True)
    return g.network()


def upsampled_input_at_the_end():
    """Input and output, two's complement, with a zero point."""
    g = graph((5, 6, 3), Uniform(bits=4, signed=True, zero_point=-3))
    a = g.upsample("input", 2)
    g.upsample(g.conv(a, 5, (2, 3), stride=(2, 1), padding=(0, 0, 1, 1)), 3)
    return g.network()


def upsampled_codes_without_an_order():
    powers = PowerOfTwo(bits=3, e_min=0, e_max=2)
    g = graph((4, 5, 5), powers, powers)
    g.conv(g.upsample("input", 2), 5, raw=True)
    return g.network()


def u_net():
    """Pools down, upsamples up, and concatenates with what was there before."""
    g = graph((8, 12, 3))
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(g.pool(a), 10, padding=SAME)
    c = g.conv(g.pool(b), 12, padding=SAME)
    d = g.conv(g.concat(g.upsample(c, 2), b), 10, padding=SAME)
    e = g.conv(g.concat(a, g.upsample(d, 2)), 6, padding=SAME)
    g.conv(e, 4, (1, 1), raw=True)
    return g.network()


def super_resolution(block, *, raw):
    """ESPCN (Shi et al., CVPR 2016): 5 x 5, 3 x 3, and squares of the channels of the last 3 x 3."""
    g = graph((6, 8, 1), Uniform(bits=4, signed=False), Uniform(bits=3, signed=True), line=not raw)
    a = g.conv("input", 12, (5, 5), padding=(2, 2, 2, 2))
    b = g.conv(a, 7, padding=SAME)
    g.squares(g.conv(b, block**2, padding=SAME, raw=raw), block, "CRD")
    return g.network()


def super_resolution_by_two():
    return super_resolution(2, raw=False)


def super_resolution_by_three():
    return super_resolution(3, raw=True)


def squares():
    """Of both orders, of more and of fewer channels than a word has, from an array and from a dense layer."""
    g = graph()
    a = g.squares(g.dense("input", 4 * 27), 2)
    b = g.squares(g.conv(a, 36, (1, 1)), 2, "CRD")
    c = g.squares(g.conv(b, 18, padding=SAME), 3)
    d = g.pool(g.squares(g.conv(c, 2, (2, 2)), 1), (2, 3))
    g.average(d, (2, 2), raw=True)
    return g.network()


def squares_of_others():
    """Squares of what no convolution gives, or others read too: a convolution is put in."""
    g = graph((4, 5, 8))
    a = g.squares("input", 2)
    b = g.conv("input", 8, (1, 1))
    c = g.squares(b, 2, "CRD")
    d = g.squares(g.depthwise(b, padding=SAME), 2)
    e = g.add(a, c, d, multipliers=(1, 1, 1))
    g.dense(g.concat(e, g.upsample(g.conv(b, 5, (1, 1)), 2)), 5, raw=True)
    return g.network()


def squares_as_parts():
    """A part of a concatenation is written square by square, at the pitch of the whole."""
    g = graph((4, 6, 4))
    a = g.conv("input", 5, padding=SAME)
    b = g.squares(g.conv(a, 28, padding=SAME), 2)
    c = g.concat(g.upsample(a, 2), b, g.squares(g.conv(a, 12, padding=SAME), 2))
    g.dense(g.conv(c, 5, stride=(2, 2)), 5, raw=True)
    return g.network()


def copies():
    """Parts that are used twice, in two concatenations, or are the input."""
    g = graph((6, 7, 4))
    a = g.conv("input", 6, padding=SAME)
    b = g.concat(a, "input", a)
    c = g.concat(g.conv(b, 5, (1, 1)), a)
    d = g.concat(b, c, g.shuffle(a, 2))
    g.dense(g.conv(d, 4, (2, 2)), 5, raw=True)
    return g.network()


def input_in_two_layouts():
    """A first layer that packs windows, beside a copy and a shuffle of the same input."""
    g = graph((6, 7, 2))
    a = g.conv("input", 4, padding=SAME)
    b = g.concat(a, "input")
    c = g.conv(g.shuffle("input", 2), 4, padding=SAME)
    g.conv(g.concat(b, c), 5, raw=True)
    return g.network()


def orders():
    """Sums of maps in two orders, and an output that lies in another order than it leaves."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.pool(a)
    c = g.add(b, g.shuffle(b, 2), g.shuffle(g.conv(b, 6, (1, 1)), 3), multipliers=(1, 1, 2))
    d = g.shuffle(g.concat(g.conv(c, 5, (1, 1)), c, g.conv(c, 1, (1, 1))), 2)
    e = g.average(d, (2, 2), raw=True)
    return g.network(d, e)


CASES = {case.__name__: case for case in (
    upsampled, upsampled_input_at_the_end, upsampled_codes_without_an_order, u_net, super_resolution_by_two,
    super_resolution_by_three, squares, squares_of_others, squares_as_parts, copies,
    input_in_two_layouts, orders,
)}  # fmt: skip


@pytest.mark.parametrize(("case", "shape", "stalls"), list(on_both_arrays(CASES)))
def test_matches_golden_and_the_cycle_model(case, shape, stalls):
    network = CASES[case]()
    assert_exact(network, compile_network(network, CONFIGS[shape]), stalls=stalls)


@pytest.mark.cocotb
@pytest.mark.parametrize("factor", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_squares_that_are_higher_than_all_banks(factor):
    """Two banks: a square goes round them more than once."""
    g = graph((5, 3, 2))
    a = g.upsample(g.conv("input", 3, padding=SAME), factor)
    b = g.squares(g.conv(a, factor**2, (1, 1)), factor)
    g.average(b, (factor**2, factor), raw=True)
    network = g.network()
    design = compile_network(network, ArrayConfig(rows=2, cols=1, lanes=2, group=1))
    assert design.hardware.banks == 2
    assert_exact(network, design)


@pytest.mark.cocotb
@pytest.mark.slow
@pytest.mark.parametrize("weights", [Binary(), TERNARY], ids=["binary", "ternary"])
def test_squares_of_bit_planes(weights):
    """What convolutions on bit planes read and write: words of squares are stored plane by plane."""
    g = graph((5, 6, 3), NARROW, weights)
    a = g.conv("input", 12, padding=SAME)
    b = g.conv(g.squares(a, 2), 5, padding=SAME)
    g.conv(g.upsample(b, 2), 5, raw=True)
    network = g.network()
    design = compile_network(network, ArrayConfig(rows=6, cols=2, lanes=8, planes="always"))
    assert [plan.planes > 1 for plan in design.layers] == [True, True, False, True]
    assert_exact(network, design)


def test_squares_cost_nothing():
    """A convolution that writes squares takes the cycles that it takes without, but for the longer record."""
    found = []
    for moves in (False, True):
        g = graph((8, 8, 4))
        a = g.conv("input", 16, padding=SAME)
        b = g.squares(a, 2) if moves else a
        g.conv(b, 5, (1, 1), raw=True)
        design = compile_network(g.network(), ArrayConfig(rows=6, cols=2, lanes=4, planes="never"))
        record = design.layers[0].cycles - design.layers[0].fold.issue_cycles
        found.append((design.layers[0].fold, record, len(design.layers)))
    (plain, before, _), (moved, after, steps) = found
    assert moved == plain
    assert 0 <= after - before <= 6
    assert steps == 2


def test_a_copy_is_put_in_only_where_it_must_be():
    network = copies()
    design = compile_network(network, CONFIGS["6x2x4"])
    names = [plan.name for plan in design.layers if plan.name not in {layer.name for layer in network.layers}]
    assert names == ["input for concat1", "conv2d0 for concat1", "conv2d0 for concat3", "channel_shuffle4 for concat5"]
    codes = np.random.default_rng(0).integers(0, 4, (2, 6, 7, 4))
    assert np.array_equal(design.mapped.run(codes), network.run(codes))


def test_products_of_what_is_put_in_do_not_count():
    network = squares_of_others()
    design = compile_network(network, CONFIGS["6x2x4"])
    assert design.macs == network.macs() < design.mapped.macs()


def test_orders_that_no_unit_can_mend_are_refused():
    """Codes of more than eight bits cannot be written again."""
    g = graph((4, 4, 4), Uniform(bits=9, signed=False))
    a = g.add("input", g.shuffle(g.pool("input", (1, 1)), 2), multipliers=(1, 1), codes=NARROW)
    g.average(a, (4, 4), raw=True)
    with pytest.raises(RowloomError, match=r"^add2: adds maps whose channels lie in different orders, shuffle them"):
        compile_network(g.network(), CONFIGS["6x2x4"])
