"""The shell round an accelerator: a serial line in and out, framed and checked."""

from typing import Protocol

from amaranth.build import Platform
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect

from rowloom.boards.framing import Framer
from rowloom.boards.protocol import About
from rowloom.boards.uart import UartReceiver, UartTransmitter


class Accelerator(Protocol):
    """What the shell needs of an accelerator: codes in, values out, one after the other; see ``hw.accelerator``."""

    input: stream.Interface
    output: stream.Interface


class Shell(wiring.Component):
    """An accelerator behind a serial line.

    Parameters
    ----------
    accelerator : component with ``input`` and ``output`` streams
        Becomes a submodule.
    about : :class:`rowloom.boards.protocol.About`
        Describes it.
    divider : int
        Cycles a bit of the line.
    time_out : int
        Cycles without a byte after which a request is given up.

    Members
    -------
    rx, tx : In(1), Out(1)
        The serial line, idle high.
    """

    FIFO_DEPTH = 4
    """Bytes that may wait while the accelerator is busy; so few that they take no block RAM."""

    rx: Signal
    tx: Signal

    def __init__(self, accelerator: Accelerator, *, about: About, divider: int, time_out: int) -> None:
        self.accelerator = accelerator
        self.about = about
        self.divider = divider
        self.time_out = time_out
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates."""
        m = Module()
        m.submodules.accelerator = self.accelerator
        m.submodules.receiver = receiver = UartReceiver(divider=self.divider)
        m.submodules.received = received = SyncFIFOBuffered(width=8, depth=self.FIFO_DEPTH)
        m.submodules.framer = framer = Framer(about=self.about, time_out=self.time_out)
        m.submodules.transmitter = transmitter = UartTransmitter(divider=self.divider)
        connect(m, receiver.bytes, received.w_stream)
        connect(m, received.r_stream, framer.rx)
        connect(m, framer.image, self.accelerator.input)
        connect(m, self.accelerator.output, framer.result)
        connect(m, framer.tx, transmitter.bytes)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            framer.fault.eq(receiver.fault),
            self.tx.eq(transmitter.tx),
        ]
        return m
