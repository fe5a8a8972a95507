"""The row-stationary array: rows of processing elements, drained column by column."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.pe import ProcessingElement

__all__ = ["ProcessingArray"]


class ProcessingArray(wiring.Component):
    """``rows`` x ``cols`` processing elements in lock-step.

    A row's filter word is broadcast to all its columns; an input row's stream feeds every row of
    processing elements that works on it, in all filter folds. Row p belongs to drain chain
    ``p % drains`` and there is the row ``p // drains``; it takes the stream
    ``(p // drains) % group``, so that ``group`` consecutive rows of a chain can hold the filter rows
    of one filter. In a *stacked* array each processing element takes all ``group`` streams of its
    column side by side. Where ``parameters.merged`` says how many, the low lanes of all streams can be put
    side by side into the word that every row takes.

    Latency
    -------
    ``latency`` cycles, the unit's, from the streams to ``accumulate``.

    Parameters
    ----------
    parameters : ArrayParameters
    cols, group, drains : int
    stream_bits : int
        Bits of a stream word; the array uses the low ones.

    Members
    -------
    stream_{j}_{q} : In(stream_bits)
        Activation word of input row j of column q, zero where it is not live.
    live_{j}_{q} : In(1)
        Low for a padded tap.
    odd : In(1)
        As in :class:`rowloom.hw.units.base.Unit`.
    merge : In(1)
        The streams' low lanes stand side by side; their other lanes are zero.
    weights_{p} : In(products * weight_bits)
        Filter word of row p.
    accumulate, capture, double : In(1)
        As in :class:`ProcessingElement`, given with the streams; delayed here.
    captured : Out(1)
        High in the cycle in which the finished sums are captured: they head the chains from the
        next cycle on.
    shift : In(1)
        Move the chains on by a row.
    sum_{k}_{q} : Out(sum shape)
        Head of drain chain k of column q.
    """

    odd: Signal
    merge: Signal
    accumulate: Signal
    capture: Signal
    double: Signal
    captured: Signal
    shift: Signal

    def __init__(self, *, parameters, cols, group, drains, stream_bits):
        self.parameters = parameters
        self.cols = cols
        self.group = group
        self.drains = drains
        self.stream_bits = stream_bits
        self.products = parameters.lanes * (group if parameters.stacked else 1)
        self.elements = [
            [ProcessingElement(parameters=parameters, products=self.products) for _ in range(cols)]
            for _ in range(parameters.rows)
        ]
        element = self.elements[0][0]
        self.latency = element.unit.latency
        members = {
            "odd": In(1),
            "merge": In(1),
            "accumulate": In(1),
            "capture": In(1),
            "double": In(1),
            "captured": Out(1),
            "shift": In(1),
        }
        for q in range(cols):
            for j in range(group):
                members[f"stream_{j}_{q}"] = In(stream_bits)
                members[f"live_{j}_{q}"] = In(1)
            for k in range(drains):
                members[f"sum_{k}_{q}"] = Out(element.sum.shape())
        for p in range(parameters.rows):
            members[f"weights_{p}"] = In(element.weights.shape())
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        word = self.parameters.lanes * self.parameters.activation_bits

        # The token of a word keeps step with the units.
        accumulate, capture = self.accumulate, self.capture
        for stage in range(self.latency):
            accumulate_q = Signal(name=f"accumulate_q{stage + 1}")
            capture_q = Signal(name=f"capture_q{stage + 1}")
            m.d.sync += [accumulate_q.eq(accumulate), capture_q.eq(accumulate & capture)]
            accumulate, capture = accumulate_q, capture_q
        m.d.comb += self.captured.eq(capture)
        double = self.double
        for stage in range(self.latency if self.parameters.planes else 0):
            double_q = Signal(name=f"double_q{stage + 1}", reset_less=True)
            m.d.sync += double_q.eq(double)
            double = double_q

        words = {(j, q): getattr(self, f"stream_{j}_{q}")[:word] for j in range(self.group) for q in range(self.cols)}
        merged = self.parameters.merged * self.parameters.activation_bits
        if merged:
            for q in range(self.cols):
                low = Cat(words[j, q][:merged] for j in range(self.group))
                for j in range(self.group):
                    stream = Signal(word, name=f"word_{j}_{q}")
                    m.d.comb += stream.eq(Cat(Mux(self.merge, low, words[j, q][: len(low)]), words[j, q][len(low) :]))
                    words[j, q] = stream

        for q in range(self.cols):
            tails: dict[int, ProcessingElement] = {}
            for p in reversed(range(self.parameters.rows)):
                element = self.elements[p][q]
                m.submodules[f"pe_{p}_{q}"] = element
                chain = p % self.drains
                row = (p // self.drains) % self.group
                streams = range(self.group) if self.parameters.stacked else [row]
                live = Cat(getattr(self, f"live_{j}_{q}") for j in streams).any()
                m.d.comb += [
                    element.activations.eq(Cat(words[j, q] for j in streams)),
                    element.live.eq(self.parameters.live_padding | live),
                    element.odd.eq(self.odd),
                    element.weights.eq(getattr(self, f"weights_{p}")),
                    element.accumulate.eq(accumulate),
                    element.capture.eq(capture),
                    element.double.eq(double),
                    element.shift.eq(self.shift),
                ]
                if chain in tails:
                    m.d.comb += element.next_sum.eq(tails[chain].sum)
                tails[chain] = element
            for chain, element in tails.items():
                m.d.comb += getattr(self, f"sum_{chain}_{q}").eq(element.sum)
        return m
