"""A serial line, eight data bits, no parity, one stop bit: bytes in and bytes out."""

from amaranth.build import Platform
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from rowloom.model.errors import RowloomError

BAUD_TOLERANCE = 0.02
"""Largest relative error of the bit clock; a receiver bears about 5 %, shared by both ends."""


def baud_divider(clock_mhz: float, baud: int) -> int:
    """Return how many cycles of a clock a bit takes.

    Raises
    ------
    RowloomError
        If no whole number of cycles, at least four, comes within :data:`BAUD_TOLERANCE` of ``baud``.
    """
    divider = round(clock_mhz * 1e6 / baud)
    if divider < 4 or abs(clock_mhz * 1e6 / divider - baud) > BAUD_TOLERANCE * baud:
        raise RowloomError(
            f"{baud} baud",
            f"cannot be made from {clock_mhz:g} MHz",
            f"a bit must take at least 4 cycles, and a whole number of them within {BAUD_TOLERANCE:.0%}",
        )
    return divider


class UartReceiver(wiring.Component):
    """Turns a serial line into bytes.

    Latency
    -------
    A byte is valid half a bit after its stop bit began, plus three cycles. A byte that is not taken before the next
    one is complete is lost, and ``fault`` tells.

    Parameters
    ----------
    divider : int
        Cycles a bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, idle high; may change at any time.
    bytes : Out(stream of 8)
        What was received.
    fault : Out(1)
        High for a cycle when a byte was lost or its stop bit was low.

    Raises
    ------
    ValueError
        If ``divider`` is less than 4.
    """

    rx: Signal
    bytes: stream.Interface
    fault: Signal

    def __init__(self, *, divider: int) -> None:
        if divider < 4:
            raise ValueError(f"divider must be at least 4, not {divider!r}")
        self.divider = divider
        super().__init__({"rx": In(1), "bytes": Out(stream.Signature(8)), "fault": Out(1)})

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates."""
        m = Module()
        line = Signal(init=1)
        m.submodules.line_sync = FFSynchronizer(self.rx, line, init=1)

        wait = Signal(range(self.divider))
        bits_left = Signal(range(11))
        shift = Signal(9)
        with m.If(self.bytes.ready):
            m.d.sync += self.bytes.valid.eq(0)
        m.d.sync += self.fault.eq(0)

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(bits_left == 0):
            # Idle. A start bit is sampled first in its middle; the cycle that sees the edge counts.
            with m.If(~line):
                m.d.sync += [bits_left.eq(10), wait.eq(self.divider // 2 - 1)]
        with m.Else():
            m.d.sync += [bits_left.eq(bits_left - 1), shift.eq(Cat(shift[1:], line)), wait.eq(self.divider - 1)]
            with m.If((bits_left == 10) & line):
                m.d.sync += [bits_left.eq(0), wait.eq(0)]  # a glitch, no start bit
            with m.If(bits_left == 1):
                m.d.sync += wait.eq(0)
                with m.If(line & (~self.bytes.valid | self.bytes.ready)):
                    m.d.sync += [self.bytes.payload.eq(shift[1:]), self.bytes.valid.eq(1)]
                with m.Else():
                    m.d.sync += self.fault.eq(1)
        return m


class UartTransmitter(wiring.Component):
    """Turns bytes into a serial line.

    Latency
    -------
    A byte takes ten bits; the start bit begins the cycle after it was taken. Bytes follow each other without a gap
    when the next is valid in time.

    Parameters
    ----------
    divider : int
        Cycles a bit, at least 4.

    Members
    -------
    bytes : In(stream of 8)
        What to send.
    tx : Out(1)
        The line, idle high, straight from a register.

    Raises
    ------
    ValueError
        If ``divider`` is less than 4.
    """

    bytes: stream.Interface
    tx: Signal

    def __init__(self, *, divider: int) -> None:
        if divider < 4:
            raise ValueError(f"divider must be at least 4, not {divider!r}")
        self.divider = divider
        super().__init__({"bytes": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates."""
        m = Module()
        wait = Signal(range(self.divider))
        bits_left = Signal(range(11))
        shift = Signal(9)
        m.d.comb += self.bytes.ready.eq((bits_left == 0) & (wait == 0))

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(bits_left != 0):
            m.d.sync += [
                self.tx.eq(shift[0]),
                shift.eq(Cat(shift[1:], 1)),
                bits_left.eq(bits_left - 1),
                wait.eq(self.divider - 1),
            ]
        with m.Elif(self.bytes.valid):
            # The start bit goes out at once; eight data bits and the stop bit follow.
            m.d.sync += [
                self.tx.eq(0),
                shift.eq(Cat(self.bytes.payload, 1)),
                bits_left.eq(9),
                wait.eq(self.divider - 1),
            ]
        return m
