"""1BitSquared iCEBreaker with an iCE40 UltraPlus."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from rowloom.boards.board import Board, Family, Resources
from rowloom.boards.dsp import MAC16, Mac16Platform


class _Platform(Mac16Platform, ICEBreakerPlatform):
    """The board's pins, and its device's multipliers."""

    blocks = 8


ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    family=Family.ICE40,
    device="iCE40UP5K",
    package="SG48",
    resources=Resources(lut4=5_280, ff=5_280, bram=30, dsp=_Platform.blocks, spram=4),
    bram_block_bits=4 * 1024,
    bram_block_width=16,
    dsp=MAC16,
    clock_mhz=12.0,
    core_mhz=24.0,
    nextpnr=("--up5k", "--package", "sg48"),
    platform=_Platform,
)
