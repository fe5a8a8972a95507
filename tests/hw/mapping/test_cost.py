from dataclasses import replace

import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.lane_parameters import LineParameters
from rowloom.hw.mapping.cost import _UNITS, Bram, Dsp, estimate, lanes, memories
from rowloom.model.encodings import Uniform
from tests.hw.machines import array_parameters, hardware
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


def test_every_array_has_its_weight_memory():
    """Two arrays of one unit too: none is forgotten."""
    wide = Uniform(bits=8, signed=True)
    specs = [
        Conv(filters=6, weights=wide, codes=Uniform(bits=4, signed=False)),
        Conv(filters=6, weights=wide, codes=Uniform(bits=3, signed=False)),
        Dense(filters=4, weights=wide),
    ]
    config = ArrayConfig(rows=6, cols=1, lanes=8, logic_bits=0)
    hardware = compile_network(make_network(specs, shape=(9, 9, 2)), config).hardware
    found = {name: size for name, size in memories(hardware).items() if name.startswith("weights")}
    assert list(found) == ["weights of multiply", "weights of multiply 2", "weights of multiply 3"]
    assert sorted(depth for _, _, depth in found.values()) == sorted(array.weight_depth for array in hardware.arrays)


@pytest.mark.parametrize(("bits", "measured"), [(2, 8.59), (4, 20.62), (8, 32.62)])
def test_an_adder_unit_is_estimated_as_it_is_built(bits, measured):
    """LUT4 a lane of 32 on ECP5 against `python -m tests.rowloom.prices`, within a tenth."""
    array = array_parameters(
        unit="adder", weights=Uniform(bits=bits, signed=True), activations=Uniform(bits=bits, signed=False)
    )
    assert _UNITS["adder"](32, array) / 32 == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize(
    ("paired", "bits", "products"),
    [
        (8, (8, 8), 2),
        (8, (3, 4), 2),
        (8, (9, 8), 1),
        (8, (16, 16), 1),
        (8, (17, 8), 0),
        (8, (8, 2), 0),
        (0, (8, 8), 1),
    ],
)
def test_products_of_a_multiplier_block(paired, bits, products):
    """Two narrow ones, one wide one; none wider than the block, nor of two bits."""
    assert Dsp(widest=16, paired=paired).products(*bits) == products
    assert Dsp(widest=16, paired=paired).products(*bits[::-1]) == products


@pytest.mark.parametrize(("lanes", "blocks"), [(8, 1 + 6 * 8), (5, 1 + 6 * 5)])
def test_multipliers_take_blocks_while_there_are_any(lanes, blocks):
    """Six elements, a block for each product and one for a row's address; what is left over takes look-up tables."""
    network = make_network([Dense(filters=12, weights=Uniform(bits=8, signed=True))], shape=(6, 6, 1))
    config = ArrayConfig(rows=6, cols=1, lanes=lanes, input_lanes=lanes, group=1, drains=1)
    hardware = compile_network(network, config).hardware
    assert [(a.unit, a.rows, a.lanes) for a in hardware.arrays] == [("multiply", 6, lanes)]
    costs = [estimate(hardware, dsp=Dsp(widest=17, paired=0, blocks=there)) for there in (None, 30, 10, 0)]
    assert [cost.dsp for cost in costs] == [blocks, 1 + 30, 1 + 10, 1]
    luts = [cost.lut4 for cost in costs]
    assert luts == sorted(luts)
    assert luts[3] - luts[2] == 10 * (luts[2] - luts[1]) // 20
    paired = estimate(hardware, dsp=Dsp(widest=16, paired=8))
    assert paired.dsp == 1 + 6 * -(-lanes // 2)


NARROW = LineParameters(fraction=4, step_bits=13, kept_bits=12, remainder_bits=16, bent=False)
WIDE = LineParameters(fraction=14, step_bits=23, kept_bits=17, remainder_bits=31, bent=False)
BENT = LineParameters(fraction=12, step_bits=22, kept_bits=18, remainder_bits=31, bent=True)
MENDED = LineParameters(fraction=14, step_bits=25, kept_bits=19, remainder_bits=34, bent=False, mends=2, nudge_bits=2)


@pytest.mark.parametrize(
    ("line", "sum_bits", "levels", "cols", "lut4", "ff"),
    [
        (NARROW, 18, 3, 1, 89, 114),
        (NARROW, 18, 3, 3, 267, 268),
        (WIDE, 23, 8, 1, 412, 624),
        (WIDE, 23, 8, 3, 1236, 1408),
        (replace(WIDE, late=True), 23, 8, 1, 424, 662),
        (replace(WIDE, late=True), 23, 8, 3, 1272, 1506),
        (BENT, 27, 8, 1, 462, 787),
        (BENT, 27, 8, 3, 1386, 1797),
        (replace(NARROW, remainder_bits=17, mends=1, nudge_bits=2), 18, 3, 1, 127, 170),
        (MENDED, 26, 8, 1, 521, 777),
        (MENDED, 26, 8, 3, 1589, 1745),
        (replace(MENDED, fraction=15, mends=3), 26, 8, 1, 559, 778),
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


def test_a_load_port_costs_what_synthesis_finds():
    """Of `fashion-ternary` at 3 x 2 x 8, port of 8 bits: 72 LUT4 and 16 carry cells more, and 123 flip-flops."""
    fixed, loaded = (estimate(hardware(load_bits=bits)) for bits in (0, 8))
    assert abs(loaded.lut4 - fixed.lut4 - (72 + 2 * 16)) < 15
    assert abs(loaded.ff - fixed.ff - 123) < 25
