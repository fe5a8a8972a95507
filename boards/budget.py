"""What a board leaves for an accelerator."""

from rowloom.boards.board import Board, Family
from rowloom.boards.pll import core_clock_mhz
from rowloom.hw.config import Budget

FILL = 0.9
"""Part of the look-up tables that place and route can fill without trouble."""

LOOSE_FF = {Family.ICE40: 0.65, Family.ECP5: 0.0}
"""Part of the flip-flops that take a cell of their own, not fed by a look-up table: counted where a 6 x 1 x 32 array
overflowed an iCE40UP5K, 1,690 of 2,700."""

SHELL_LUT4 = 600
"""Look-up tables of clock, serial line and framing: 585 on ECP5, 588 on iCE40, placed round a small stand-in."""

SHELL_FF = 300
"""Flip-flops of the same: 253 and 271."""


def budget(board: Board, clock_mhz: float | None = None) -> Budget:
    """Return what ``board`` offers an accelerator, at ``clock_mhz`` or the board's own clock.

    Raises
    ------
    RowloomError
        If its PLL cannot make that clock.
    """
    there = board.resources
    loose = LOOSE_FF[board.family]
    return Budget(
        lut4=int(FILL * there.lut4) - SHELL_LUT4 - round(loose * SHELL_FF),
        ff=int(FILL * there.ff) - SHELL_FF,
        bram_blocks=there.bram,
        bram_block_bits=board.bram_block_bits,
        bram_block_width=board.bram_block_width,
        dsp=there.dsp,
        dsp_widest=board.dsp.widest,
        dsp_paired=board.dsp.paired,
        clock_mhz=core_clock_mhz(board, board.core_mhz if clock_mhz is None else clock_mhz),
        loose_ff=loose,
    )
