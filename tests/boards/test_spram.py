# amaranth: UnusedElaboratable=no
"""Single-port RAMs equal the memories for any device, cycle by cycle, but for what is read while a word is written."""

from pathlib import Path

import pytest
from amaranth import Module, Signal
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

import rowloom
from rowloom.boards.board import Family
from rowloom.boards.icebreaker import ICEBREAKER
from rowloom.boards.report import count_cells, netlist_cells
from rowloom.boards.spram import SpramPlatform
from rowloom.boards.toolchain import run, yosys_command
from rowloom.hw.accelerator import Accelerator
from rowloom.hw.emit import to_rtlil, without_collisions
from rowloom.hw.memories import Bank, SinglePort
from rowloom.model.errors import RowloomError
from tests.boards.miter import run_model
from tests.hw.networks import Conv, Dense, make_network

CELLS = Path(__file__).with_name("sb_spram256ka.v")

_MAIN = """\
#include "top.cc"
#include <cstdio>
int main() {
  cxxrtl_design::p_top top;
  unsigned long long state = 88172645463325252ull, differ = 0, compared = 0;
  auto random = [&]() {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    return (unsigned)(state >> 16);
  };
  bool wrote[2] = {true, true};
  for (unsigned at = 0; at < DEPTH + 60000; at++) {
    const bool write = at < DEPTH || random() % 3 == 0;
    top.p_write__enable.set<bool>(write);
    top.p_write__address.set<unsigned>(at < DEPTH ? at : random() % DEPTH);
    top.p_low.set<unsigned>(random());
    top.p_high.set<unsigned>(random());
    top.p_read__address.set<unsigned>(random() % DEPTH);
    top.p_clk.set<bool>(false); top.step();
    if (!wrote[1] && at > DEPTH + 2) { compared++; differ += top.p_differ.get<bool>(); }
    top.p_clk.set<bool>(true); top.step();
    wrote[1] = wrote[0]; wrote[0] = write;
  }
  std::printf("%llu %llu\\n", compared, differ);
}
"""


class Ultra(SpramPlatform):
    sprams = 4


class _Both(wiring.Component):
    """The same words into both kinds of memory; ``differ`` where they answer differently."""

    def __init__(self, platform, width, depth):
        self.platform, self.width, self.depth = platform, width, depth
        bits = (depth - 1).bit_length()
        super().__init__({
            "write_enable": In(1), "write_address": In(bits), "read_address": In(bits), "low": In(32), "high": In(32),
            "differ": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.mapped = mapped = _On(self.platform, width=self.width, depth=self.depth)
        m.submodules.bank = bank = Bank(width=self.width, depth=self.depth)
        data = Signal(64)
        m.d.comb += [data[:32].eq(self.low), data[32:].eq(self.high)]
        for each in (mapped, bank):
            m.d.comb += [
                each.write_enable.eq(self.write_enable),
                each.write_address.eq(self.write_address),
                each.write_data.eq(data),
                each.read_address.eq(self.read_address),
            ]
        m.d.comb += self.differ.eq(mapped.read_data != bank.read_data)
        return m


class _On(SinglePort):
    """A memory on a platform of its own."""

    def __init__(self, platform, **sizes):
        self.platform = platform
        super().__init__(**sizes)

    def elaborate(self, platform):
        return super().elaborate(self.platform)


@pytest.mark.netlist
@pytest.mark.parametrize(("width", "depth", "blocks"), [(13, 300, 1), (16, 1 << 14, 1), (40, 777, 3), (20, 20_000, 4)])
def test_blocks_equal_a_bank(width, depth, blocks, tmp_path):
    there = Ultra()
    printed = run_model(_Both(there, width, depth), CELLS, tmp_path, _MAIN, DEPTH=depth)
    compared, differ = map(int, printed.split())
    assert (there.sprams, differ) == (4 - blocks, 0)
    assert compared > 30_000


def test_blocks_are_given_while_there_are_any():
    there = Ultra()
    left = []
    for width, depth in ((32, 100), (32, 1 << 14), (8, 5), (33, 100)):
        Fragment.get(SinglePort(width=width, depth=depth), there)
        left.append(there.sprams)
    assert left == [2, 0, 0, 0]
    there = Ultra()
    Fragment.get(SinglePort(width=33, depth=(1 << 14) + 1), there)
    assert there.sprams == 4, "six are too many"


@pytest.mark.netlist
def test_weights_lie_in_single_port_rams(tmp_path):
    """Two rows of two blocks each on an iCE40UP5K; program and maps stay in block RAM."""
    network = make_network([Conv(filters=9), Conv(filters=16), Dense(filters=10)], shape=(8, 8, 1))
    config = rowloom.ArrayConfig(
        rows=2, cols=1, lanes=32, group=1, drains=1, load_bits=8, single_port=True, planes="always"
    )
    design = rowloom.compile(network, config)
    accelerator = Accelerator(design)
    (tmp_path / "top.il").write_text(without_collisions(to_rtlil(accelerator, "top", ICEBREAKER.platform())))
    script = "read_rtlil top.il\nsynth_ice40 -dsp -abc9 -device u -top top\nwrite_json top.json\n"
    (tmp_path / "top.ys").write_text(script)
    assert run(yosys_command("top.ys"), folder=tmp_path, log=tmp_path / "log", limit_s=300, say=lambda line: None) == 0
    used = count_cells(netlist_cells(tmp_path / "top.json"), Family.ICE40)
    assert used.spram == sum(array.rows * -(-array.lanes * array.weight_bits // 16) for array in design.hardware.arrays)
    assert used.spram == 4


def test_a_board_does_not_load_them_yet():
    network = make_network([Dense(filters=4)], shape=(2, 2, 1))
    design = rowloom.compile(network, rowloom.ArrayConfig(rows=1, cols=1, lanes=8, load_bits=8, single_port=True))
    with pytest.raises(RowloomError, match=r"^single_port: leaves the weight memories empty"):
        rowloom.build(design, board="icebreaker")
