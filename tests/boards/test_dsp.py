# amaranth: UnusedElaboratable=no
"""The families' multiplier blocks equal the multipliers for any device, cycle by cycle."""

from pathlib import Path

import pytest
from amaranth.hdl import Fragment

from rowloom.boards import get
from rowloom.boards.budget import budget
from rowloom.boards.build import build
from rowloom.boards.dsp import MAC16, Mac16Platform, Mult18Platform
from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cost import Bram, Dsp, estimate
from rowloom.hw.units.pair import MultiplierPair
from rowloom.model.encodings import Uniform
from tests.boards.miter import WORDS, count
from tests.hw.networks import Conv, Dense, make_network


class Mac16(Mac16Platform):
    blocks = 9


class Mult18(Mult18Platform):
    blocks = 9


#: Yosys has a model of SB_MAC16; that of MULT18X18D is after Lattice's guide.
CELLS = {Mac16: "+/ice40/cells_sim.v", Mult18: Path(__file__).with_name("mult18x18d.v")}

UNSIGNED, SIGNED = (0, 255), (-128, 127)
WIDE_UNSIGNED, WIDE_SIGNED = (0, (1 << 16) - 1), (-1 << 15, (1 << 15) - 1)

#: Every sign and every number of registers.
RANGES = [
    (UNSIGNED, SIGNED),
    (SIGNED, UNSIGNED),
    (SIGNED, SIGNED),
    (UNSIGNED, UNSIGNED),
    ((0, 15), (-4, 3)),
    ((-3, 252), SIGNED),
    (WIDE_SIGNED, (0, 15)),
    (WIDE_UNSIGNED, WIDE_SIGNED),
    (WIDE_SIGNED, WIDE_SIGNED),
]


@pytest.mark.netlist
@pytest.mark.parametrize("platform", CELLS, ids=lambda each: each.__name__)
def test_blocks_equal_look_up_tables(platform, tmp_path):
    """Every word of 8 bits a side, many of 16: the same products in the same cycles."""
    there = platform()
    there.blocks = 100
    counted = count(there, CELLS[platform], tmp_path, RANGES)
    taken = [2 // platform.kind.products(8, 8)] * 5 + [2] * 4
    assert there.blocks == 100 - sum(taken), "it was the blocks that were tried"
    assert [differ for differ, _ in counted] == [0] * len(RANGES)
    assert all(apart > 0.9 * WORDS for _, apart in counted)


@pytest.mark.parametrize(
    ("platform", "first", "second", "pairs"),
    [
        (Mac16, UNSIGNED, SIGNED, 8),
        (Mac16, (-3, 252), SIGNED, 4),
        (Mac16, WIDE_UNSIGNED, WIDE_SIGNED, 4),
        (Mac16, (-1, (1 << 16) - 1), SIGNED, 0),
        (Mac16, UNSIGNED, (-2, 1), 0),
        (Mult18, UNSIGNED, SIGNED, 4),
        (Mult18, (-1, (1 << 16) - 1), SIGNED, 4),
        (Mult18, UNSIGNED, (-2, 1), 0),
    ],
)
def test_blocks_are_given_while_there_are_any(platform, first, second, pairs):
    """Of nine one is left for synthesis; SB_MAC16 holds two products of 8 bits; two bits are no work for a block."""
    there = platform()
    given = []
    for _ in range(10):
        pair = MultiplierPair(first=first, second=second)
        made = there.get_multiplier_pair(pair)
        given.append(made is not None)
        Fragment.get(made or pair, None)
    assert given == [True] * pairs + [False] * (10 - pairs)


@pytest.mark.pnr
def test_a_build_holds_two_products_in_a_block(tmp_path):
    """One for each two products of 8 x 8 and 8 x 4, as the cost model says.

    It adds one for a row's address, which in so small a network is too narrow for a block.
    """
    weights = Uniform(bits=8, signed=True)
    layers = [Conv(filters=4, weights=weights, codes=Uniform(bits=4, signed=False)), Dense(filters=10, weights=weights)]
    design = compile_network(make_network(layers, shape=(6, 6, 1)), ArrayConfig(rows=2, cols=1, lanes=4, input_lanes=1))
    offered = budget(get("icebreaker"))
    there = Dsp(widest=offered.dsp_widest, paired=offered.dsp_paired, blocks=offered.dsp - 1)
    assert (there.widest, there.paired) == (MAC16.widest, MAC16.paired)
    products = [a.rows * a.lanes * (design.hardware.group if a.stacked else 1) for a in design.hardware.arrays]
    assert products == [2, 8]
    ram = Bram(bits=offered.bram_block_bits, width=offered.bram_block_width)
    assert estimate(design.hardware, ram, there).dsp == 1 + 1 + 4
    image = build(design, "icebreaker", out=tmp_path / "small.bin")
    assert image.resources.dsp == 1 + 4
