"""Runs what a family has blocks for, as models of its cells have them, beside what is for any device."""

import shutil
import subprocess
import sys

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.boards.toolchain import run, yosys_command
from rowloom.hw.emit import to_rtlil
from rowloom.hw.units.pair import MultiplierPair

OPERANDS = ("first", "second")

#: Words that are tried: every pair of codes of 8 bits; above these, wider codes have random bits, often all alike.
WORDS = 1 << 16

#: Feeds the words to ``top``; prints how often each pair of ranges differed, and how often its products did.
_MAIN = """\
#include "top.cc"
#include <cstdio>
int main() {
  cxxrtl_design::p_top top;
  unsigned long long state = 88172645463325252ull, differ[KINDS] = {}, apart[KINDS] = {};
  auto above = [&](unsigned low) -> unsigned {
    state ^= state << 13; state ^= state >> 7; state ^= state << 17;
    const unsigned kind = state >> 40 & 7, ends[] = {0, 0xff00, 0x8000, 0x7f00};
    return (low & 255) | (kind < 4 ? ends[kind] : state & 0xff00);
  };
  for (unsigned at = 0; at < WORDS + 8; at++) {
    const unsigned other = at * 40503 + 12345;  // an odd factor: every word too, in another order
    top.p_first__0.set<unsigned>(above(at));
    top.p_second__0.set<unsigned>(above(at >> 8));
    top.p_first__1.set<unsigned>(above(other));
    top.p_second__1.set<unsigned>(above(other >> 8));
    top.p_clk.set<bool>(false); top.step();
    for (int i = 0; at >= 8 && i < KINDS; i++) {
      differ[i] += top.p_differ.get<unsigned>() >> i & 1;
      apart[i] += top.p_apart.get<unsigned>() >> i & 1;
    }
    top.p_clk.set<bool>(true); top.step();
  }
  for (int i = 0; i < KINDS; i++) std::printf("%llu %llu\\n", differ[i], apart[i]);
}
"""


class _On(MultiplierPair):
    """A pair on a platform of its own."""

    def __init__(self, platform, **bounds):
        self.platform = platform
        super().__init__(**bounds)

    def elaborate(self, platform):
        return super().elaborate(self.platform)


class Miter(wiring.Component):
    """For each pair of ranges, the same operands for both kinds of multipliers, in the low bits of 16.

    ``differ`` where their products are not the same, ``apart`` where the two products of a pair are not.
    """

    def __init__(self, platform, ranges):
        self.kinds = [
            (MultiplierPair(first=first, second=second), _On(platform, first=first, second=second))
            for first, second in ranges
        ]
        operands = {f"{name}_{i}": In(16) for name in OPERANDS for i in range(2)}
        super().__init__(operands | {"differ": Out(len(ranges)), "apart": Out(len(ranges))})

    def elaborate(self, platform):
        m = Module()
        for kind, pairs in enumerate(self.kinds):
            generic, mapped = pairs
            m.submodules[f"generic_{kind}"] = generic
            m.submodules[f"mapped_{kind}"] = mapped
            for name in OPERANDS:
                for i in range(2):
                    codes = getattr(self, f"{name}_{i}")
                    m.d.comb += [getattr(pair, f"{name}_{i}").eq(codes) for pair in pairs]
            products = [Cat(pair.product_0, pair.product_1) for pair in pairs]
            m.d.comb += [
                self.differ[kind].eq(products[0] != products[1]),
                self.apart[kind].eq(mapped.product_0 != mapped.product_1),
            ]
        return m


def count(platform, cells, folder, ranges):
    """For each pair of ranges, how many words differ, and how many have two different products."""
    lines = run_model(Miter(platform, ranges), cells, folder, _MAIN, KINDS=len(ranges), WORDS=WORDS).splitlines()
    return [tuple(map(int, line.split())) for line in lines]


def run_model(component, cells, folder, main, **defines):
    """What a C++ program prints that runs a component as ``top``, with models of a family's cells."""
    (folder / "top.il").write_text(to_rtlil(component, "top"))
    passes = ("hierarchy -check -top top", "proc", "flatten", "opt -full", "write_cxxrtl top.cc")
    (folder / "top.ys").write_text("\n".join(["read_rtlil top.il", f"read_verilog {cells}", *passes, ""]))
    status = run(yosys_command("top.ys"), folder=folder, log=folder / "log", limit_s=300, say=lambda line: None)
    assert status == 0, (folder / "log").read_text()[-2000:]
    (folder / "main.cc").write_text(main)
    # asked in a process of its own: its library need not stand beside torch's in that of the tests
    where = [sys.executable, "-c", "import pyosys; print(pyosys.__path__[0])"]
    package = subprocess.run(where, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    runtime = f"{package}/share/include/backends/cxxrtl/runtime"
    given = [f"-D{name}={value}" for name, value in defines.items()]
    compiler = shutil.which("c++") or "g++"
    build = [compiler, "-std=c++17", "-O0", f"-I{runtime}", *given, "main.cc", "-o", "main"]
    subprocess.run(build, cwd=folder, check=True)
    return subprocess.run(["./main"], cwd=folder, check=True, capture_output=True, text=True).stdout
