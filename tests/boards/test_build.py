# amaranth: UnusedElaboratable=no
from dataclasses import replace

import pytest

from rowloom.boards import BOARDS, get
from rowloom.boards.build import build_accelerator
from rowloom.boards.protocol import About
from rowloom.model.errors import CheckFailed, DoesNotFit, RowloomError, ToolMissing
from tests.boards.fake import FakeAccelerator

ABOUT = About(input_bits=8, output_bits=18, input_beats=784, output_beats=10, identity=1)


def make(board, tmp_path, **options):
    return build_accelerator(
        FakeAccelerator(ABOUT), about=ABOUT, name="fake", board=board, out=tmp_path / "fake.bit", **options
    )


@pytest.mark.pnr
@pytest.mark.parametrize("name", BOARDS)
def test_a_bitstream_comes_out(name, tmp_path):
    board, said = get(name), []
    image = make(board, tmp_path, say=said.append)
    assert image.bitstream == tmp_path / "fake.bit"
    assert image.bitstream.stat().st_size > 10_000
    assert image.clock_mhz == board.core_mhz
    assert image.fmax_mhz >= image.clock_mhz
    assert 300 < image.resources.lut4 < 1_000, "the shell round a stand-in"
    assert 100 < image.resources.ff < 600
    assert set(image.to_json()) >= {"board", "bitstream", "clock_mhz", "fmax_mhz", "resources"}
    assert list(image.to_json()["resources"]) == ["lut4", "ff", "bram", "dsp", "spram"]
    assert any(line.startswith("place and route") for line in said)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.pnr
def test_the_same_seed_gives_the_same_bitstream(tmp_path):
    first = make(get("icebreaker"), tmp_path, seed=7)
    data = first.bitstream.read_bytes()
    assert make(get("icebreaker"), tmp_path, seed=7).bitstream.read_bytes() == data


@pytest.mark.pnr
def test_a_missed_clock_says_by_how_much_and_leaves_nothing(tmp_path):
    with pytest.raises(
        CheckFailed, match=r"^fake on icebreaker: timing is not met: [\d.]+ of 96 MHz \([\d.]+ % short\)"
    ):
        make(get("icebreaker"), tmp_path, clock_mhz=96)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.pnr
def test_what_is_too_large_is_told_and_leaves_nothing(tmp_path):
    board = get("icebreaker")
    small = replace(board, resources=replace(board.resources, lut4=100, ff=10))
    message = r"^fake on icebreaker: needs [\d,]+ LUT4 of 100 \(\d+ % too many\) and [\d,]+ flip-flops of 10 \("
    with pytest.raises(DoesNotFit, match=message):
        make(small, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variable", ["YOSYS", "NEXTPNR_ICE40", "ICEPACK"])
@pytest.mark.pnr
def test_a_missing_tool_is_told(variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, "/nowhere/tool")
    with pytest.raises(ToolMissing, match=rf"^\S+: {variable} names '/nowhere/tool', which is not there, correct it"):
        make(get("icebreaker"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.pnr
def test_a_tool_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(RowloomError, match=r"^\S+: took longer than 0.01 s and was ended"):
        make(get("icebreaker"), tmp_path, time_limit_s=0.01)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.pnr
def test_a_tool_that_fails_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("ICEPACK", "false")
    with pytest.raises(RowloomError, match=r"^fake on icebreaker: pack failed \(it printed nothing\)"):
        make(get("icebreaker"), tmp_path)
