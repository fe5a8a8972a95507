"""Networks that branch, and layers that keep channels apart, against the golden model: values and cycles."""

import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.sim import simulate
from tests.hw.graphs import CONFIGS, Graph, assert_exact, on_both_arrays

TERNARY = Ternary()
NARROW = Uniform(bits=2, signed=False)
SIGNED = Uniform(bits=4, signed=True, zero_point=-3)
SAME = (1, 1, 1, 1)


def graph(shape=(6, 7, 6), encoding=NARROW, weights=TERNARY, seed=1):
    return Graph(shape, encoding, weights=weights, seed=seed)


def depthwise():
    """Strides, asymmetric padding, and a channel word that is not full."""
    g = graph((7, 6, 6))
    a = g.depthwise(g.conv("input", 6, padding=SAME), padding=(1, 0, 1, 1))
    g.dense(g.depthwise(a, (2, 3), stride=(2, 1), dilation=(1, 2)), 5, raw=True)
    return g.network()


def first_layer_depthwise():
    g = graph((7, 6, 3), Uniform(bits=8, signed=False), Uniform(bits=4, signed=True))
    a = g.depthwise("input", (3, 2), padding=(2, 1, 0, 1))
    g.conv(a, 5, (1, 1), raw=True)
    return g.network()


def averages():
    g = graph((8, 8, 6))
    a = g.average(g.conv("input", 6, padding=SAME), (2, 2))
    g.dense(g.average(a, (4, 4)), 5, raw=True)
    return g.network()


def counted_padding():
    g = graph((7, 8, 5))
    a = g.average(g.conv("input", 5, padding=SAME), (3, 3), stride=(2, 2), padding=SAME, count_include_pad=True)
    g.average(a, (4, 4), raw=True)
    return g.network()


def sums():
    """Two maps of different scales, a map with itself, and a rescaling."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.add(a, g.conv(a, 6, (1, 1)), multipliers=(3, -2))
    c = g.add(b, b, multipliers=(1, 2))
    g.dense(g.add(c, multipliers=(-1,)), 5, raw=True)
    return g.network()


def residual():
    """The input of a block is kept for its end; so is the network's input."""
    g = graph((6, 6, 4))
    a = g.conv("input", 4, padding=SAME)
    a = g.add(g.conv(a, 4, padding=SAME), "input", multipliers=(1, 1))
    b = g.conv(g.conv(a, 9, padding=SAME, stride=(2, 2)), 9, padding=SAME)
    g.dense(g.add(b, g.conv(a, 9, (1, 1), stride=(2, 2)), multipliers=(2, 1)), 4, raw=True)
    return g.network()


def concatenation():
    """Parts that fill no word, pooled, convolved with padding and sent to a dense layer."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.concat(g.conv(a, 5, padding=SAME), g.conv(a, 3, (1, 1)))
    c = g.concat(b, g.depthwise(g.conv(a, 6, (1, 1)), padding=SAME))
    g.dense(g.conv(g.pool(c), 4, (2, 2), padding=(1, 0, 1, 0)), 5, raw=True)
    return g.network()


def part_that_is_added():
    """A part of a concatenation lies at the pitch of the whole, and so must the map that it is added to."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 6, (1, 1))
    c = g.concat(a, b)
    d = g.add(a, g.conv(c, 6, (1, 1)), multipliers=(1, 2))
    g.dense(g.concat(g.pool(c), g.pool(d)), 5, raw=True)
    return g.network()


def shuffles():
    g = graph()
    a = g.conv("input", 12, padding=SAME, groups=3)
    b = g.shuffle(a, 3)
    c = g.depthwise(b, padding=SAME)
    d = g.add(a, g.conv(c, 12, (1, 1), groups=2), multipliers=(1, 1))
    e = g.add(g.conv(b, 12, (1, 1)), c, multipliers=(1, 2))
    g.dense(g.concat(d, e), 5, raw=True)
    return g.network()


def groups():
    """Slices and parts that are whole words, and slices that share words; read by a pool, an addition and a layer."""
    g = graph((6, 7, 5))
    a = g.conv("input", 24, padding=SAME)
    b = g.conv(a, 24, padding=SAME, groups=2)
    c = g.conv(g.pool(b), 36, (1, 3), padding=(0, 0, 1, 1), groups=3)
    d = g.add(b, g.conv(a, 24, (1, 1), groups=2), multipliers=(1, 1))
    g.dense(g.concat(c, g.pool(d)), 5, raw=True)
    return g.network()


def groups_with_zero_points():
    """Slices of 14 channels begin within words, and padding holds the code that means 0."""
    g = graph((6, 7, 5), SIGNED, Uniform(bits=3, signed=True))
    a = g.conv("input", 42, (1, 1))
    b = g.conv(a, 36, padding=SAME, groups=3)
    g.dense(g.conv(b, 24, padding=(1, 0, 0, 1), stride=(2, 1), groups=2), 5, raw=True)
    return g.network()


def binary_groups():
    """No weight means 0: channels of other groups stand in other words, with holes behind them if need be."""
    g = graph((6, 7, 6), Binary(), Binary())
    a = g.conv("input", 18)
    b = g.conv(g.shuffle(a, 3), 24, padding=SAME, groups=2)
    g.dense(g.conv(g.pool(b), 14, (2, 2), groups=2), 5, raw=True)
    return g.network()


def zero_points():
    """Padding holds the code that means 0, in packed windows, on arrays and in the vector path."""
    g = graph((6, 7, 1), SIGNED, Uniform(bits=3, signed=True))
    a = g.depthwise(
        g.conv("input", 6, (3, 2), padding=SAME), padding=SAME, codes=Uniform(bits=4, signed=True, zero_point=2)
    )
    b = g.conv(a, 6, padding=SAME)
    c = g.add(a, b, multipliers=(1, 2))
    g.dense(g.average(g.pool(c, padding=(1, 0, 0, 1)), (2, 2)), 5, raw=True)
    return g.network()


def zero_points_of_ternary_weights():
    g = graph((5, 6, 3), Uniform(bits=3, signed=False, zero_point=5))
    a = g.conv("input", 7, (5, 2), padding=(3, 4, 1, 0))
    g.conv(g.conv(a, 6, (4, 3), padding=(0, 2, 2, 1)), 3, raw=True)
    return g.network()


def binary_depthwise():
    """No code means 0: padded taps are gated."""
    g = graph((6, 7, 6), Binary(), Binary())
    a = g.depthwise(g.conv("input", 6), padding=SAME)
    g.dense(g.average(a, (2, 2)), 5, raw=True)
    return g.network()


def powers_depthwise():
    powers = PowerOfTwo(bits=3, e_min=0, e_max=2)
    g = graph((6, 7, 6), Uniform(bits=3, signed=False), powers)
    a = g.depthwise(g.conv("input", 6), padding=SAME, codes=PowerOfTwo(bits=2, e_min=0, e_max=2, signed=False))
    g.dense(g.depthwise(a, (2, 2)), 5, raw=True)
    return g.network()


def several_outputs():
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 3, (1, 1))
    c = g.pool(a)
    return g.network(g.average(c, (3, 3)), b, c)


def pool_at_the_end():
    g = graph()
    g.pool(g.conv("input", 6, padding=SAME))
    return g.network()


def codes_of_signs_at_the_end():
    g = graph(encoding=Binary(), weights=Binary())
    a = g.conv("input", 6)
    return g.network(a, g.pool(a))


def one_row():
    """One-dimensional convolution."""
    g = graph((1, 19, 5))
    a = g.conv("input", 9, (1, 5), padding=(0, 0, 2, 2), stride=(1, 2))
    g.dense(g.depthwise(a, (1, 3), padding=(0, 0, 1, 1)), 5, raw=True)
    return g.network()


def one_column():
    g = graph((17, 1, 5))
    a = g.conv("input", 9, (5, 1), padding=(2, 2, 0, 0), stride=(2, 1))
    g.dense(g.average(g.depthwise(a, (3, 1), padding=(1, 1, 0, 0)), (9, 1)), 5, raw=True)
    return g.network()


CASES = {case.__name__: case for case in (
    depthwise, first_layer_depthwise, averages, counted_padding, sums, residual, concatenation, part_that_is_added,
    shuffles, groups, groups_with_zero_points, binary_groups, zero_points, zero_points_of_ternary_weights,
    binary_depthwise, powers_depthwise, several_outputs,
    pool_at_the_end, codes_of_signs_at_the_end, one_row, one_column,
)}  # fmt: skip


@pytest.mark.parametrize(("case", "shape", "stalls"), list(on_both_arrays(CASES)))
def test_matches_golden_and_the_cycle_model(case, shape, stalls):
    network = CASES[case]()
    assert_exact(network, compile_network(network, CONFIGS[shape]), stalls=stalls)


#: Cases in which more codes leave the vector path at once than an array.
MANY_LANES = [sums, binary_depthwise, several_outputs, depthwise, averages, residual, concatenation, zero_points]


@pytest.mark.cocotb
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if i > 2 else []) for i, case in enumerate(MANY_LANES)]
)
def test_the_vector_path_has_lanes_of_its_own(case):
    network = case()
    config = ArrayConfig(rows=3, cols=2, lanes=8, drains=1, vector_drains=4)
    design = compile_network(network, config)
    assert design.hardware.extra.count == 3
    assert [len(lane[0]) for lane in design.images.thresholds[1:]] == [design.hardware.extra.threshold_depth] * 3
    assert_exact(network, design)


def test_lanes_are_added_where_the_vector_path_waits():
    """Sums of maps of 64 lanes would leave one by one; a 3 x 3 window accumulates while eight leave after another."""
    g = graph((8, 8, 64))
    a = g.conv("input", 64, (1, 1))
    g.dense(g.add(a, g.conv(a, 64, (1, 1)), multipliers=(1, 2)), 5, raw=True)
    design = compile_network(g.network(), ArrayConfig(rows=3, cols=2, lanes=64))
    assert (design.config.drains, design.config.vector_drains, design.hardware.code_lanes) == (1, 0, 8)
    one = compile_network(g.network(), ArrayConfig(rows=3, cols=2, lanes=64, vector_drains=1))
    assert one.hardware.extra is None
    steps = [plan.fold.steps for design in (design, one) for plan in design.layers if plan.unit == "vector"]
    assert steps == [8, 64]


#: Weights and activations of a first layer whose kernel rows stand side by side in a word, on an array of full size.
SIDE_BY_SIDE = {
    "ternary": (TERNARY, NARROW),
    "sign": (Binary(), Uniform(bits=4, signed=False)),
    "lut": (DoReFa(2), NARROW),
    "quinary": (Quinary(), NARROW),
    "shift": (PowerOfTwo(bits=3, e_min=0, e_max=2), Uniform(bits=3, signed=False)),
    "multiply": (Uniform(bits=3, signed=True), Uniform(bits=4, signed=True, zero_point=2)),
}


@pytest.mark.cocotb
@pytest.mark.parametrize(
    "unit", [pytest.param(unit, marks=[pytest.mark.slow] if i > 2 else []) for i, unit in enumerate(SIDE_BY_SIDE)]
)
def test_rows_that_are_padding_stand_beside_others(unit):
    """Rows above and below the map, and beyond a kernel of four rows, share words with rows that count."""
    weights, encoding = SIDE_BY_SIDE[unit]
    g = graph((7, 6, 1), encoding, weights)
    a = g.conv("input", 6, (4, 2), padding=(3, 2, 1, 0))
    g.conv(a, 5, (3, 3), raw=True)
    network = g.network()
    design = compile_network(network, ArrayConfig(rows=6, cols=2, lanes=8, planes="never"))
    assert [(plan.unit, plan.fold.merged) for plan in design.layers] == [(unit, True), (unit, False)]
    codes = g.rng.integers(encoding.code_min, encoding.code_max + 1, (3, 7, 6, 1))
    result = simulate(design, codes)
    assert result.ok, result.summary()
