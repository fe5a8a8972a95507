"""From a design to a bitstream: synthesis, place and route, packing."""

import shutil
import tempfile
import time
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from rowloom.boards import get
from rowloom.boards.board import Board, Family, Resources
from rowloom.boards.identity import describe
from rowloom.boards.protocol import About
from rowloom.boards.report import Routed, count_cells, excess, largest_memories, netlist_cells, read_report
from rowloom.boards.shell import Accelerator
from rowloom.boards.toolchain import ECPPACK, ICEPACK, NEXTPNR_ECP5, NEXTPNR_ICE40, Say, Tool, run, yosys_command
from rowloom.boards.top import Top
from rowloom.hw.emit import without_collisions
from rowloom.model.errors import CheckFailed, DoesNotFit, RowloomError

if TYPE_CHECKING:
    from rowloom.hw.design import Design

NARROW = 0.9
"""A clock that reaches this part of what was asked may be met with another seed; one further off is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """How a family's bitstreams are made."""

    synthesis: str
    constraints: str
    nextpnr: Tool
    constraints_option: str
    routed: str
    routed_option: str
    packer: Tool
    pack: tuple[str, ...]
    bitstream: str


_FLOWS = {
    # Without wide multiplexers, because PFUMX cells keep popcounts from packing well (docs/architecture.md).
    Family.ECP5: _Flow(
        synthesis="synth_ecp5 -abc9 -nowidelut -top top",
        constraints="top.lpf",
        nextpnr=NEXTPNR_ECP5,
        constraints_option="--lpf",
        routed="top.config",
        routed_option="--textcfg",
        packer=ECPPACK,
        pack=("--compress", "--input", "top.config", "--bit", "top.bit"),
        bitstream="top.bit",
    ),
    Family.ICE40: _Flow(
        synthesis="synth_ice40 -dsp -abc9 -device u -top top",
        constraints="top.pcf",
        nextpnr=NEXTPNR_ICE40,
        constraints_option="--pcf",
        routed="top.asc",
        routed_option="--asc",
        packer=ICEPACK,
        pack=("top.asc", "top.bin"),
        bitstream="top.bin",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A bitstream, and what it took.

    Attributes
    ----------
    board : str
        The board that it is for.
    bitstream : Path
        The file.
    clock_mhz, fmax_mhz : float
        The clock that it runs at, and the highest that nextpnr found it could, MHz.
    resources : Resources
        Cells used.
    seed : int
        Of place and route; the same seed gives the same bitstream.
    seconds : float
        What the build took.
    """

    board: str
    bitstream: Path
    clock_mhz: float
    fmax_mhz: float
    resources: Resources
    seed: int
    seconds: float

    def to_json(self) -> dict[str, object]:
        """Return what `rowloom build --json` writes."""
        return {
            "board": self.board,
            "bitstream": str(self.bitstream),
            "clock_mhz": self.clock_mhz,
            "fmax_mhz": self.fmax_mhz,
            "resources": self.resources.to_json(),
            "seed": self.seed,
            "seconds": self.seconds,
        }


def build(
    design: "Design",
    board: str,
    *,
    out: str | PathLike[str] | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    tries: int = 3,
    time_limit_s: float = 3600.0,
    say: Say = lambda line: None,
) -> Image:
    """Make a bitstream of ``design`` for ``board``.

    Parameters
    ----------
    design : :class:`rowloom.hw.design.Design`
        From :func:`rowloom.compile`.
    board : str
        Name of a board.
    out : path, optional
        The bitstream; ``build/BOARD/NETWORK.bit`` (``.bin`` for iCE40) when left out.
    clock_mhz : float, optional
        The clock; the board's own choice when left out.
    seed, tries : int
        First seed of place and route, and how many are tried when the clock is missed narrowly.
    time_limit_s : float
        Seconds that each tool may take.
    say : callable
        Told of progress, a line each.

    Returns
    -------
    Image

    Raises
    ------
    RowloomError
        If the board is unknown, or cannot make that clock, or a tool is missing, fails or takes too long.
    DoesNotFit
        If the board has too little of something.
    CheckFailed
        If the clock is not met.
    """
    from rowloom.hw.accelerator import Accelerator as Engine

    if design.hardware.single_port:
        raise RowloomError(
            "single_port", "leaves the weight memories empty until they are loaded, which no serial line here does yet"
        )
    return build_accelerator(
        Engine(design),
        about=describe(design),
        name=design.network.name,
        board=get(board),
        out=out,
        clock_mhz=clock_mhz,
        seed=seed,
        tries=tries,
        time_limit_s=time_limit_s,
        say=say,
    )


def build_accelerator(
    accelerator: Accelerator,
    *,
    about: About,
    name: str,
    board: Board,
    out: str | PathLike[str] | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    tries: int = 3,
    time_limit_s: float = 3600.0,
    say: Say = lambda line: None,
) -> Image:
    """Make a bitstream of any accelerator with the streams that :class:`rowloom.boards.shell.Shell` takes.

    As :func:`build`, with ``about`` describing the accelerator and ``name`` naming the bitstream.
    """
    flow = _FLOWS[board.family]
    start = time.monotonic()
    top = Top(accelerator, about=about, board=board, core_mhz=clock_mhz)
    target = Path(out) if out else Path("build") / board.name / (name + Path(flow.bitstream).suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that a rename puts the finished file in place; gone again whatever happens.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}.") as temporary:
        work = Path(temporary)
        subject = f"{name} on {board.name}"
        _synthesize(top, board, flow, work, subject, time_limit_s, say)
        used = _check_cells(work, board, subject)
        routed, seed = _route(top.clock.core_mhz, board, flow, work, subject, used, seed, tries, time_limit_s, say)
        _run(flow.packer.command() + list(flow.pack), "pack", work, subject, time_limit_s, say)
        (work / flow.bitstream).replace(target)
        for log in ("synthesis.log", "route.log", "report.json"):
            shutil.copyfile(work / log, target.with_suffix(f".{log}"))
    return Image(
        board=board.name,
        bitstream=target,
        clock_mhz=top.clock.core_mhz,
        fmax_mhz=round(routed.fmax_mhz, 2),
        resources=routed.resources,
        seed=seed,
        seconds=round(time.monotonic() - start, 2),
    )


def _run(command: list[str], step: str, work: Path, subject: str, limit_s: float, say: Say) -> None:
    log = work / f"{step}.log"
    if run(command, folder=work, log=log, limit_s=limit_s, say=say) != 0:
        raise RowloomError(subject, f"{step} failed ({_last_error(log)})", "run with --verbose, or report it")


def _last_error(log: Path) -> str:
    """Return the line of a tool's log that says what went wrong."""
    lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["it printed nothing"])[-1 if not errors else 0].removeprefix("ERROR: ")


def _synthesize(top: Top, board: Board, flow: _Flow, work: Path, subject: str, limit_s: float, say: Say) -> None:
    plan = board.platform().prepare(top, "top")
    (work / "top.il").write_text(without_collisions(plan.files["top.il"]))
    (work / flow.constraints).write_text(plan.files[flow.constraints])
    (work / "synthesis.ys").write_text(f"read_rtlil top.il\n{flow.synthesis}\nwrite_json top.json\n")
    say(f"synthesis for {board.device}")
    _run(yosys_command("synthesis.ys"), "synthesis", work, subject, limit_s, say)


def _check_cells(work: Path, board: Board, subject: str) -> Resources:
    """Return what the netlist takes; DoesNotFit before place and route find out the slow way."""
    cells = netlist_cells(work / "top.json")
    used = count_cells(cells, board.family)
    over = excess(used, board)
    if over:
        memories = (
            "; largest memories: " + ", ".join(largest_memories(cells)) if used.bram > board.resources.bram else ""
        )
        raise DoesNotFit(subject, f"needs {' and '.join(over)}{memories}", "choose a smaller array or network")
    return used


def _route(
    core_mhz: float,
    board: Board,
    flow: _Flow,
    work: Path,
    subject: str,
    used: Resources,
    seed: int,
    tries: int,
    limit_s: float,
    say: Say,
) -> tuple[Routed, int]:
    """Place and route until the clock is met; return the result and the seed that did it."""
    best: Routed | None = None
    for attempt in range(seed, seed + max(1, tries)):
        say(f"place and route at {core_mhz:g} MHz, seed {attempt}")
        command = [
            *flow.nextpnr.command(),
            *board.nextpnr,
            *("--json", "top.json", flow.constraints_option, flow.constraints, flow.routed_option, flow.routed),
            *("--report", "report.json", "--freq", f"{core_mhz:g}", "--seed", str(attempt), "--timing-allow-fail"),
        ]
        status = run(command, folder=work, log=work / "route.log", limit_s=limit_s, say=say)
        if status != 0:
            problem = _last_error(work / "route.log")
            if any(hint in problem for hint in ("Unable to", "no BELs", "no Bels", "failed to place", "Failed to")):
                raise DoesNotFit(
                    subject,
                    f"place and route found no room ({problem}; {used.lut4:,} LUT4 of {board.resources.lut4:,})",
                    "choose a smaller array",
                )
            raise RowloomError(subject, f"place and route failed ({problem})", "run with --verbose, or report it")
        routed = read_report(work / "report.json", used, board.family)
        if routed.fmax_mhz >= core_mhz:
            return routed, attempt
        best = max(best, routed, key=lambda r: r.fmax_mhz) if best else routed
        if routed.fmax_mhz < NARROW * core_mhz:
            break
    assert best is not None
    short = 100 * (1 - best.fmax_mhz / core_mhz)
    raise CheckFailed(
        subject,
        f"timing is not met: {best.fmax_mhz:.2f} of {core_mhz:g} MHz ({short:.1f} % short)",
        f"ask for --clock {int(best.fmax_mhz)} or a smaller array",
    )
