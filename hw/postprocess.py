"""Post-processing: from a sum to an activation code."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ThresholdLane"]


class ThresholdLane(wiring.Component):
    """Compares a sum with the threshold of its filter.

    Bit for bit :class:`rowloom.model.post.Thresholds` for a binary output: the schedule turns a
    falling threshold into a rising one and an inversion, and has folded the units' offsets into
    ``threshold``.

    Latency
    -------
    One cycle.

    Members
    -------
    sum : In(signed(sum_bits))
    threshold : In(signed(sum_bits))
    invert : In(1)
    code : Out(1)
        ``(sum >= threshold) ^ invert``.
    difference : Out(signed(sum_bits))
        ``sum - threshold``, the raw sum where the threshold holds the offset and the bias.
    """

    sum: Signal
    threshold: Signal
    invert: Signal
    code: Signal
    difference: Signal

    def __init__(self, *, sum_bits):
        self.sum_bits = sum_bits
        super().__init__(
            {
                "sum": In(signed(sum_bits)),
                "threshold": In(signed(sum_bits)),
                "invert": In(1),
                "code": Out(1),
                "difference": Out(signed(sum_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        difference = Signal(signed(self.sum_bits))
        m.d.comb += difference.eq(self.sum - self.threshold)
        m.d.sync += [self.difference.eq(difference), self.code.eq(~difference[-1] ^ self.invert)]
        return m
