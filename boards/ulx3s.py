"""Radiona ULX3S with the largest ECP5."""

from amaranth_boards.ulx3s import ULX3S_85F_Platform

from rowloom.boards.board import Board, Family, Resources
from rowloom.boards.carry import CarryPlatform
from rowloom.boards.dsp import MULT18, Mult18Platform


class _Platform(CarryPlatform, Mult18Platform, ULX3S_85F_Platform):
    """The board's pins, and its device's multipliers and carry chains."""

    blocks = 156


ULX3S_85F = Board(
    name="ulx3s-85f",
    title="Radiona ULX3S 85F",
    family=Family.ECP5,
    device="LFE5U-85F",
    package="CABGA381",
    resources=Resources(lut4=83_640, ff=83_640, bram=208, dsp=_Platform.blocks, spram=0),
    bram_block_bits=18 * 1024,
    bram_block_width=36,
    dsp=MULT18,
    clock_mhz=25.0,
    core_mhz=80.0,
    nextpnr=("--85k", "--package", "CABGA381", "--speed", "6"),
    platform=_Platform,
)
