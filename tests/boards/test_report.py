import json

import pytest

from rowloom.boards import get
from rowloom.boards.board import Family, Resources
from rowloom.boards.report import count_cells, excess, largest_memories, netlist_cells, read_report

ECP5 = {
    "a": "LUT4",
    "b": "LUT4",
    "c": "CCU2C",
    "d": "TRELLIS_DPR16X4",
    "e": "TRELLIS_FF",
    "weights_0.memory.0.0": "DP16KD",
    "weights_0.memory.1.0": "DP16KD",
    "bank.memory.0.0": "DP16KD",
    "m": "MULT18X18D",
    "s": "$scopeinfo",
}
ICE40 = {
    "a": "SB_LUT4",
    "b": "SB_DFF",
    "c": "SB_DFFESR",
    "w.0": "SB_RAM40_4K",
    "w.1": "SB_RAM40_4KNR",
    "m": "SB_MAC16",
    "s": "SB_SPRAM256KA",
    "k": "SB_CARRY",
}


def test_cells_of_ecp5():
    assert count_cells(ECP5, Family.ECP5) == Resources(lut4=8, ff=1, bram=3, dsp=1, spram=0)


def test_cells_of_ice40():
    assert count_cells(ICE40, Family.ICE40) == Resources(lut4=1, ff=2, bram=2, dsp=1, spram=1)


def test_the_top_module_is_counted(tmp_path):
    modules = {
        "helper": {"attributes": {}, "cells": {"x": {"type": "LUT4"}}},
        "top": {"attributes": {"top": "0" * 31 + "1"}, "cells": {"y": {"type": "CCU2C"}}},
    }
    path = tmp_path / "top.json"
    path.write_text(json.dumps({"modules": modules}))
    assert netlist_cells(path) == {"y": "CCU2C"}


def test_largest_memories_come_first():
    assert largest_memories(ECP5) == ["weights_0.memory (2)", "bank.memory (1)"]
    assert largest_memories(ECP5, 1) == ["weights_0.memory (2)"]


def test_excess_names_all_that_is_too_large():
    board = get("ulx3s-85f")
    assert excess(board.resources, board) == []
    used = Resources(lut4=92_004, ff=83_640, bram=209, dsp=1, spram=2)
    assert excess(used, board) == [
        "92,004 LUT4 of 83,640 (10 % too many)",
        "209 block RAMs of 208 (0 % too many)",
        "2 SPRAMs of 0",
    ]


@pytest.mark.parametrize("family", Family)
def test_report(family, tmp_path):
    kinds = {
        Family.ECP5: {"TRELLIS_COMB": 10, "TRELLIS_FF": 20, "DP16KD": 3, "MULT18X18D": 4},
        Family.ICE40: {"ICESTORM_LC": 10, "ICESTORM_RAM": 3, "ICESTORM_DSP": 4, "ICESTORM_SPRAM": 5},
    }[family]
    content = {
        "utilization": {kind: {"available": 100, "used": used} for kind, used in kinds.items()},
        "fmax": {"a": {"achieved": 91.5, "constraint": 80}, "b": {"achieved": 85.25, "constraint": 80}},
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(content))
    synthesized = Resources(lut4=1, ff=20, bram=1, dsp=1, spram=1)
    routed = read_report(path, synthesized, family)
    assert routed.fmax_mhz == 85.25
    assert routed.resources == Resources(lut4=10, ff=20, bram=3, dsp=4, spram=5 if family is Family.ICE40 else 0)
