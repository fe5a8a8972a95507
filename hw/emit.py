"""From gates to text."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from amaranth.back import rtlil

from rowloom.hw.accelerator import Accelerator
from rowloom.hw.contents import load_beats, stream_beats
from rowloom.hw.design import Design
from rowloom.model.errors import RowloomError, ToolMissing

__all__ = ["BUSES", "to_rtlil", "verilog", "verilog_and_contents", "without_collisions", "write"]

#: Ways in and out of an emitted accelerator.
BUSES = ("stream",)


def to_rtlil(component, name: str, platform=None) -> str:
    """RTLIL of a component, for Yosys; the same bytes for the same component.

    Without a platform it is for any device, and for simulation.
    """
    return rtlil.convert(component, name=name, platform=platform, emit_src=False)


def without_collisions(text: str) -> str:
    """RTLIL in which a read of the word that is being written may return anything.

    For synthesis: the schedule never reads a map before it is complete, and block RAMs then need no
    bypass round them.
    """
    return text.replace("parameter \\COLLISION_X_MASK 1'0", "parameter \\COLLISION_X_MASK 1'1")


def verilog(component, name: str) -> str:
    """Verilog of a component that Verilator and Icarus read; the same bytes for the same component."""
    return _verilog(component, name, "")[f"{name}.v"]


def verilog_and_contents(component, name: str) -> tuple[str, dict[str, str]]:
    """Verilog that reads what memories hold from files, and these by their names.

    For simulation: a simulator compiles initial contents as statements, one a word, which takes most of the time of a
    build, and two components that differ in nothing else have the same Verilog. Files are looked for in the folder in
    which the simulation runs.
    """
    files = _verilog(component, name, "-extmem")
    return files.pop(f"{name}.v"), files


def _verilog(component, name: str, options: str) -> dict[str, str]:
    """Files that Yosys writes, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.il").write_text(to_rtlil(component, name))
        passes = [
            "read_rtlil in.il",
            "proc -nomux",  # plain proc makes functions that Icarus 11 rejects
            "memory_collect",
            # Icarus 11 leaves always @* unevaluated at time 0
            f"write_verilog -sv -norename -noattr {options} {name}.v",
        ]
        script = "from pyosys import libyosys as ys\nd = ys.Design()\n" + "".join(
            f"ys.run_pass({p!r}, d)\n" for p in passes
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            if "No module named" in done.stdout:
                raise ToolMissing("pyosys", "is not installed", "pip install pyosys")
            raise RowloomError("yosys", f"cannot write Verilog: {done.stdout.strip().splitlines()[-1:]}")
        return {path.name: path.read_text() for path in sorted(Path(folder).glob(f"{name}*"))}


def write(design: Design, folder: str | os.PathLike[str], *, bus: str = "stream") -> None:
    """Write an accelerator as source: Verilog, memory images, a manifest and a FuseSoC core file.

    One that is loaded starts with the network of ``design``; ``load.bin`` holds the beats that bring that network
    back, or to an accelerator of equal hardware, and ``stream.bin`` those that it takes for every image.

    Everything is written beside ``folder`` first and moved in at the end.

    Raises
    ------
    RowloomError
        If the bus is unknown or the folder cannot be written.
    """
    if bus not in BUSES:
        raise RowloomError("bus", f"must be one of {', '.join(BUSES)}, not {bus!r}")
    target = Path(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as beside:
            work = Path(beside)
            (work / "accelerator.v").write_text(verilog(Accelerator(design), "accelerator"))
            for name, words in memory_images(design).items():
                if not words:  # of an array that this network leaves alone
                    continue
                digits = max(1, -(-max(word.bit_length() for word in words) // 4))
                (work / f"{name}.hex").write_text("".join(f"{word:0{digits}x}\n" for word in words))
            if design.hardware.load_bits:
                (work / "load.bin").write_bytes(_bytes(design, load_beats(design.hardware, design.images)))
            if design.images.stream:
                (work / "stream.bin").write_bytes(_bytes(design, stream_beats(design.hardware, design.images)))
            (work / "manifest.json").write_text(json.dumps(manifest(design, bus), indent=2) + "\n")
            (work / "accelerator.core").write_text(_CORE.format(name=_identifier(design.network.name)))
            target.mkdir(exist_ok=True)
            for file in sorted(work.iterdir()):
                file.replace(target / file.name)
    except OSError as error:
        raise RowloomError(str(folder), f"cannot be written ({error.strerror})") from None


def memory_images(design: Design) -> dict[str, tuple[int, ...]]:
    """Contents of every memory by its name."""
    images = design.images
    return {
        "program": images.program,
        **({"skips": images.skips} if images.skips else {}),
        **{f"weights_{a}_{p}": words for a, rows in enumerate(images.weights) for p, words in enumerate(rows)},
        **{f"thresholds_{k}_{i}": words for k, lane in enumerate(images.thresholds) for i, words in enumerate(lane)},
    }


def _bytes(design: Design, beats: list[int]) -> bytes:
    """Beats of the load port, low byte first."""
    return np.array(beats, dtype=np.uint64).astype(f"<u{design.hardware.load_bits // 8}").tobytes()


def manifest(design: Design, bus: str) -> dict[str, object]:
    """What an emitted accelerator is, for programs."""
    return {
        "generator": "rowloom",
        "network": design.network.name,
        "bus": bus,
        **design.built.to_json(),
        "input": {"bits": design.input_bits, "beats": design.input_beats, "order": "y, x, c"},
        "output": {"bits": design.output_bits, "beats": design.output_beats, "order": "y, x, c"},
        "cycles": design.cycles,
        "layers": [
            {"name": layer.name, "op": layer.op, "unit": layer.unit, "macs": layer.macs, "cycles": layer.cycles}
            for layer in design.layers
        ],
    }


def _identifier(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


_CORE = """CAPI=2:
name: rowloom:accelerators:{name}:0.1.0
description: Row-stationary accelerator of {name}
filesets:
  rtl:
    files: [accelerator.v]
    file_type: verilogSource
targets:
  default:
    filesets: [rtl]
    toplevel: accelerator
"""
