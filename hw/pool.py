"""The vector path: pooling of whole words."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """Lane by lane maximum over the kernel rows in space and the taps in time, one column.

    Dead words are zero, the least code, so padding never wins.

    Latency
    -------
    One cycle from the last word of a block to ``word``; throughput one word of each row a cycle.

    Parameters
    ----------
    group : int
        Streams of the column.
    lanes, code_bits : int
        Unsigned codes of a word.

    Members
    -------
    stream_{j} : In(lanes * code_bits)
    active, first : In(1)
        The streams hold words; they are the first of a block.
    word : Out(lanes * code_bits)
    """

    active: Signal
    first: Signal
    word: Signal

    def __init__(self, *, group, lanes, code_bits):
        self.group = group
        self.lanes = lanes
        self.code_bits = code_bits
        super().__init__(
            {
                **{f"stream_{j}": In(lanes * code_bits) for j in range(group)},
                "active": In(1),
                "first": In(1),
                "word": Out(lanes * code_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def maximum(a, b):
            if self.code_bits == 1:
                return a | b
            pairs = [(a.word_select(i, self.code_bits), b.word_select(i, self.code_bits)) for i in range(self.lanes)]
            return Cat(Mux(x > y, x, y) for x, y in pairs)

        best = self.stream_0
        for j in range(1, self.group):
            best = maximum(best, getattr(self, f"stream_{j}"))
        word = Signal(self.word.shape(), reset_less=True)
        with m.If(self.active):
            m.d.sync += word.eq(Mux(self.first, best, maximum(word, best)))
        m.d.comb += self.word.eq(word)
        return m
