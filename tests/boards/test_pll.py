import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rowloom.boards import BOARDS
from rowloom.boards.pll import core_clock_mhz, ecp5_dividers, ice40_dividers
from rowloom.model.errors import RowloomError

SCRIPTS = str(Path(sys.executable).parent)


def oracle(name, *arguments):
    tool = shutil.which(f"yowasp-{name}", path=SCRIPTS) or shutil.which(name)
    assert tool, f"{name} comes with the place and route tools"
    return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.pnr
@pytest.mark.parametrize("output", [50, 80, 100, 62.5, 133])
def test_ecp5_is_as_near_as_ecppll(output):
    told = oracle("ecppll", "-i", "25", "-o", str(output), "--file", "/dev/null")
    theirs = float(next(line for line in told.splitlines() if line.startswith("clkout0 frequency")).split()[2])
    ours = ecp5_dividers(25.0, output)
    assert abs(ours.output_mhz(25.0) - output) <= abs(theirs - output) + 1e-3, "ecppll prints three decimals"
    assert 400 <= ours.vco_mhz(25.0) <= 800


@pytest.mark.pnr
@pytest.mark.parametrize("output", [18, 21, 24, 25.5, 30, 48, 60])
def test_ice40_is_what_icepll_says(output):
    told = oracle("icepll", "-i", "12", "-o", str(output))
    values = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    ours = ice40_dividers(12.0, output)
    for name, value in (
        ("DIVR", ours.divr),
        ("DIVF", ours.divf),
        ("DIVQ", ours.divq),
        ("FILTER_RANGE", ours.filter_range),
    ):
        assert int(values[name].split()[0]) == value


def test_known_ecp5_setting():
    dividers = ecp5_dividers(25.0, 50.0)
    assert (dividers.input_div, dividers.feedback_div, dividers.output_div) == (1, 2, 12)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_default_clocks_are_exact(board):
    assert core_clock_mhz(board, board.core_mhz) == pytest.approx(board.core_mhz, abs=1e-9)


@pytest.mark.parametrize(
    ("function", "source", "wanted"),
    [
        (ecp5_dividers, 25, 500),
        (ecp5_dividers, 25, 1),
        (ecp5_dividers, 5, 50),
        (ice40_dividers, 12, 10),
        (ice40_dividers, 12, 300),
    ],
)
def test_a_clock_that_cannot_be_made(function, source, wanted):
    with pytest.raises(
        RowloomError, match=rf"^clock of {wanted} MHz: an \S+ PLL cannot make it from {source} MHz, ask for"
    ):
        function(source, wanted)
