"""The drain: chains of captured sums become one sum a filter."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DrainControl", "DrainLane"]


class DrainControl(wiring.Component):
    """Counts a column's rows out of the chains, in groups of ``rows``.

    Latency
    -------
    ``emit`` is high in the cycle in which a group's last row is announced; ``shift`` one cycle
    later, when that row heads its chain.

    Members
    -------
    captured : In(1)
        As in :class:`rowloom.hw.array.ProcessingArray`.
    steps, rows : In
        Rows to drain less one, rows of a group less one.
    emit : Out(1)
    shift, shift_last : Out(1)
        A row heads the chains; it is the last of its group.
    """

    captured: Signal
    steps: Signal
    rows: Signal
    emit: Signal
    shift: Signal
    shift_last: Signal

    def __init__(self, *, count_bits):
        self.count_bits = count_bits
        super().__init__(
            {
                "captured": In(1),
                "steps": In(count_bits),
                "rows": In(count_bits),
                "emit": Out(1),
                "shift": Out(1),
                "shift_last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        draining = Signal()
        steps_left, rows_left = Signal(self.count_bits, reset_less=True), Signal(self.count_bits, reset_less=True)
        steps_now, rows_now = Signal(self.count_bits), Signal(self.count_bits)
        step, group_end = Signal(), Signal()
        m.d.comb += [
            step.eq(self.captured | draining),
            steps_now.eq(Mux(self.captured, self.steps, steps_left)),
            rows_now.eq(Mux(self.captured, self.rows, rows_left)),
            group_end.eq(rows_now == 0),
            self.emit.eq(step & group_end),
        ]
        with m.If(step):
            m.d.sync += [
                draining.eq(steps_now != 0),
                steps_left.eq(steps_now - 1),
                rows_left.eq(Mux(group_end, self.rows, rows_now - 1)),
            ]
        m.d.sync += [self.shift.eq(step), self.shift_last.eq(step & group_end)]
        return m


class DrainLane(wiring.Component):
    """Adds the rows of a group, as they come.

    Latency
    -------
    ``sum`` holds a group's sum in the cycle after its last row, and only then.

    Members
    -------
    shift, shift_last : In(1)
        As in :class:`DrainControl`.
    row : In(shape)
        Head of the chain.
    sum : Out(shape)
    """

    shift: Signal
    shift_last: Signal
    row: Signal
    sum: Signal

    def __init__(self, *, shape):
        self.shape = shape
        super().__init__({"shift": In(1), "shift_last": In(1), "row": In(shape), "sum": Out(shape)})

    def elaborate(self, platform):
        m = Module()
        total, total_next = Signal(self.shape), Signal(self.shape)
        m.d.comb += total_next.eq(total + self.row)
        with m.If(self.shift_last):
            m.d.sync += total.eq(0)
        with m.Elif(self.shift):
            m.d.sync += total.eq(total_next)
        m.d.sync += self.sum.eq(total_next)
        return m
