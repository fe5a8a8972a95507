"""What goes on a board: clock, pins, and the shell round the accelerator."""

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib import io, wiring

from rowloom.boards.board import Board
from rowloom.boards.pll import ClockGenerator
from rowloom.boards.protocol import About
from rowloom.boards.shell import Accelerator, Shell
from rowloom.boards.uart import baud_divider

TIME_OUT_SECONDS = 0.1
"""Silence on the line after which a request is given up: longer than a USB bridge holds bytes back (16 ms)."""


class Top(wiring.Component):
    """An accelerator on a board: PLL, serial line, framing.

    Parameters
    ----------
    accelerator : component with ``input`` and ``output`` streams
        Becomes a submodule.
    about : :class:`rowloom.boards.protocol.About`
        Describes it.
    board : :class:`rowloom.boards.board.Board`
        Where it goes.
    core_mhz : float, optional
        Its clock, MHz; the board's own choice when left out.

    Raises
    ------
    RowloomError
        If the board can make neither that clock nor its baud rate from it.
    """

    def __init__(self, accelerator: Accelerator, *, about: About, board: Board, core_mhz: float | None = None) -> None:
        self.clock = ClockGenerator(board, board.core_mhz if core_mhz is None else core_mhz)
        self.shell = Shell(
            accelerator,
            about=about,
            divider=baud_divider(self.clock.core_mhz, board.baud),
            time_out=round(TIME_OUT_SECONDS * self.clock.core_mhz * 1e6),
        )
        super().__init__({})

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates; needs the platform of the board."""
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.submodules.clock = self.clock
        m.d.comb += [ClockSignal().eq(self.clock.clock), ResetSignal().eq(self.clock.reset)]
        m.submodules.shell = self.shell
        # Raw pins: whatever else belongs to the line (RTS, DTR) stays unconnected.
        pins = platform.request("uart", dir={pin.name: "-" for pin in platform.lookup("uart").ios})
        m.submodules.rx = rx = io.Buffer("i", pins.rx)
        m.submodules.tx = tx = io.Buffer("o", pins.tx)
        m.d.comb += [self.shell.rx.eq(rx.i), tx.o.eq(self.shell.tx)]
        return m
