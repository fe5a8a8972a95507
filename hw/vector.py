"""The vector path: a multiplier and an accumulator for every lane, where channels are not summed."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.units.value import value_of

__all__ = ["VectorArray"]


class VectorArray(wiring.Component):
    """``lanes`` multiply-accumulators a column, each for a channel of its own.

    Runs what would leave all lanes but one of a dot product empty: depthwise convolutions, average
    pools (weights of one) and sums of tensors (a tap a tensor, weighted by its scale). It stands where
    a :class:`rowloom.hw.array.ProcessingArray` stands: the sums of a word's channels are captured
    together and leave by drain chains, channel c by chain ``c % drains``; there may be more of them than an array has.

    Latency
    -------
    One cycle, the products' register, from the streams to ``accumulate``; one word a cycle.

    Parameters
    ----------
    parameters : VectorParameters
    cols : int
    stream_bits : int
        Bits of a stream word; the path uses the low ones.

    Members
    -------
    stream_{q} : In(stream_bits)
        Activation word of column q; a padded tap holds the code that means 0.
    live_{q} : In(1)
        Low for a padded tap; counts where the path is gated.
    weights : In(lanes * weight_bits)
        A two's complement weight for each lane, the same for all columns.
    accumulate, capture : In(1)
        As in :class:`rowloom.hw.pe.ProcessingElement`, given with the streams; delayed here.
    captured : Out(1)
        High in the cycle in which the finished sums are captured.
    shift : In(1)
        Move the chains on by a lane.
    sum_{k}_{q} : Out(signed(sum_bits))
        Head of drain chain k of column q.
    """

    weights: Signal
    accumulate: Signal
    capture: Signal
    captured: Signal
    shift: Signal

    def __init__(self, *, parameters, cols, stream_bits):
        self.parameters = parameters
        self.cols = cols
        self.drains = drains = parameters.drains
        self.stream_bits = stream_bits
        shape = signed(parameters.sum_bits)
        super().__init__(
            {
                **{f"stream_{q}": In(stream_bits) for q in range(cols)},
                **{f"live_{q}": In(1) for q in range(cols)},
                **{f"sum_{k}_{q}": Out(shape) for k in range(drains) for q in range(cols)},
                "weights": In(parameters.lanes * parameters.weight_bits),
                "accumulate": In(1),
                "capture": In(1),
                "captured": Out(1),
                "shift": In(1),
            }
        )

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        encoding, weight_bits = self.parameters.activations, self.parameters.weight_bits
        shape = signed(self.parameters.sum_bits)

        # The token of a word keeps step with the products.
        accumulate, capture = Signal(), Signal()
        m.d.sync += [accumulate.eq(self.accumulate), capture.eq(self.accumulate & self.capture)]
        m.d.comb += self.captured.eq(capture)

        for q in range(self.cols):
            stream = getattr(self, f"stream_{q}")
            captured = [
                Signal(shape, name=f"sum_{lane}_{q}_q", reset_less=True) for lane in range(self.parameters.lanes)
            ]
            for lane, total_out in enumerate(captured):
                # Cycle 0: multiply.
                activation = value_of(
                    m, stream.word_select(lane, encoding.bits), encoding, name=f"activation_{lane}_{q}"
                )
                weight = self.weights.word_select(lane, weight_bits).as_signed()
                product = Signal((activation * weight).shape(), name=f"product_{lane}_{q}")
                m.d.sync += product.eq(activation * weight)
                if self.parameters.gated:
                    with m.If(~getattr(self, f"live_{q}")):
                        m.d.sync += product.eq(0)

                # Cycle 1: accumulate; the clear does not depend on an enable, as in a processing element.
                total, total_next = (Signal(shape, name=f"total{n}_{lane}_{q}") for n in ("", "_next"))
                m.d.comb += total_next.eq(total + product)
                with m.If(capture):
                    m.d.sync += [total.eq(0), total_out.eq(total_next)]
                with m.Else():
                    with m.If(accumulate):
                        m.d.sync += total.eq(total_next)
                    with m.If(self.shift):
                        after = lane + self.drains
                        m.d.sync += total_out.eq(captured[after] if after < len(captured) else 0)
            for k in range(self.drains):
                m.d.comb += getattr(self, f"sum_{k}_{q}").eq(captured[k])
        return m
