"""The processing element: a unit, an accumulator, and a place in the drain chain."""

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.units import make_unit

__all__ = ["ProcessingElement"]


class ProcessingElement(wiring.Component):
    """Accumulates the sums of one unit, and hands a finished sum down its column.

    The accumulator is cleared in the cycle in which its last sum is captured, so the next
    accumulation may follow at once while the captured sums of the column are drained.

    Latency
    -------
    The unit's latency from a word to ``accumulate``; a captured sum is in ``sum`` one cycle after
    ``capture``.

    Parameters
    ----------
    parameters : ArrayParameters
    products : int
        Products a word.

    Members
    -------
    activations, weights, live, odd
        As in :class:`rowloom.hw.units.base.Unit`.
    accumulate : In(1)
        A unit's sum is there to be added.
    capture : In(1)
        With ``accumulate``: this sum is the last of its accumulation.
    double : In(1)
        With ``accumulate``, where the array takes planes: all sums so far count twice.
    shift : In(1)
        Take over the sum of the next row. Ignored with ``capture``.
    next_sum : In(sum shape)
        Captured sum of the next row of the chain.
    sum : Out(sum shape)
        Captured sum, in the unit's offset form.
    """

    activations: Signal
    weights: Signal
    live: Signal
    odd: Signal
    accumulate: Signal
    capture: Signal
    double: Signal
    shift: Signal
    next_sum: Signal
    sum: Signal

    def __init__(self, *, parameters, products):
        self.parameters = parameters
        self.unit = make_unit(parameters.spec, lanes=products)
        is_signed = self.unit.sum.shape().signed
        shape = signed(parameters.sum_bits) if is_signed else unsigned(parameters.sum_bits)
        super().__init__(
            {
                "activations": In(self.unit.activations.shape()),
                "weights": In(self.unit.weights.shape()),
                "live": In(1),
                "odd": In(1),
                "accumulate": In(1),
                "capture": In(1),
                "double": In(1),
                "shift": In(1),
                "next_sum": In(shape),
                "sum": Out(shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self.unit
        m.d.comb += [
            unit.activations.eq(self.activations),
            unit.weights.eq(self.weights),
            unit.live.eq(self.live),
            unit.odd.eq(self.odd),
        ]

        # The clear does not depend on an enable, so that it is the flip-flops' own reset.
        total = Signal(self.sum.shape())
        total_next = Signal(self.sum.shape())
        capture = Signal()
        so_far = Mux(self.double, total << 1, total) if self.parameters.planes else total
        m.d.comb += [total_next.eq(so_far + unit.sum), capture.eq(self.accumulate & self.capture)]
        with m.If(capture):
            m.d.sync += total.eq(0)
        with m.Elif(self.accumulate):
            m.d.sync += total.eq(total_next)

        with m.If(capture):
            m.d.sync += self.sum.eq(total_next)
        with m.Elif(self.shift):
            m.d.sync += self.sum.eq(self.next_sum)
        return m
