"""From gates to text."""

import subprocess
import sys
import tempfile
from pathlib import Path

from amaranth.back import rtlil

from rowloom.model.errors import RowloomError, ToolMissing

__all__ = ["to_rtlil", "verilog"]


def to_rtlil(component, name: str, *, collisions: bool = True) -> str:
    """RTLIL of a component, for Yosys; the same bytes for the same component.

    Without ``collisions`` a read of the word that is being written may return anything: the
    schedule never reads a map before it is complete, and block RAMs need no bypass round them then.
    """
    text = rtlil.convert(component, name=name, emit_src=False)
    if not collisions:
        text = text.replace("parameter \\COLLISION_X_MASK 1'0", "parameter \\COLLISION_X_MASK 1'1")
    return text


def verilog(component, name: str) -> str:
    """Verilog of a component that Verilator and Icarus read; the same bytes for the same component."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.il"), Path(folder, "out.v")
        source.write_text(to_rtlil(component, name))
        passes = [
            f"read_rtlil {source}",
            "proc -nomux",  # plain proc makes functions that Icarus 11 rejects
            "memory_collect",
            f"write_verilog -norename -noattr {target}",
        ]
        script = "from pyosys import libyosys as ys\nd = ys.Design()\n" + "".join(
            f"ys.run_pass({p!r}, d)\n" for p in passes
        )
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            if "No module named" in done.stdout:
                raise ToolMissing("pyosys", "is not installed", "pip install pyosys")
            raise RowloomError("yosys", f"cannot write Verilog: {done.stdout.strip().splitlines()[-1:]}")
        return target.read_text()
