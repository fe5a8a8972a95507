"""1BitSquared iCEBreaker with an iCE40 UltraPlus."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from rowloom.boards.board import Board, Family, Resources
from rowloom.boards.dsp import MAC16, Mac16Platform
from rowloom.boards.spram import SpramPlatform


class _Platform(Mac16Platform, SpramPlatform, ICEBreakerPlatform):
    """The board's pins, and its device's multipliers and single-port RAMs."""

    blocks = 8
    sprams = 4


ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    family=Family.ICE40,
    device="iCE40UP5K",
    package="SG48",
    resources=Resources(lut4=5_280, ff=5_280, bram=30, dsp=_Platform.blocks, spram=_Platform.sprams),
    bram_block_bits=4 * 1024,
    bram_block_width=16,
    dsp=MAC16,
    clock_mhz=12.0,
    core_mhz=24.0,
    nextpnr=("--up5k", "--package", "sg48"),
    platform=_Platform,
)
