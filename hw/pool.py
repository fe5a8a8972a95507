"""The vector path: pooling of whole words."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MaxPool"]


class MaxPool(wiring.Component):
    """Lane by lane maximum over the kernel rows in space and the taps in time, one column.

    Dead words are zero and so never exceed unsigned codes; signed codes are compared with their
    sign inverted, and dead words replaced by the least code.

    Latency
    -------
    One cycle from the last word of a block to ``word``; throughput one word of each row a cycle.

    Parameters
    ----------
    group : int
        Streams of the column.
    lanes, code_bits : int
        Codes of a word, and their width.
    is_signed : bool
        Codes are two's complement.

    Members
    -------
    stream_{j} : In(lanes * code_bits)
    live_{j} : In(1)
        Low for a dead word.
    active, first : In(1)
        The streams hold words; they are the first of a block.
    word : Out(lanes * code_bits)
    """

    active: Signal
    first: Signal
    word: Signal

    def __init__(self, *, group, lanes, code_bits, is_signed=False):
        self.group = group
        self.lanes = lanes
        self.code_bits = code_bits
        self.is_signed = is_signed
        super().__init__(
            {
                **{f"stream_{j}": In(lanes * code_bits) for j in range(group)},
                **{f"live_{j}": In(1) for j in range(group)},
                "active": In(1),
                "first": In(1),
                "word": Out(lanes * code_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def named(value, name):
            # an expression that several lanes read would be built anew for each
            signal = Signal(self.word.shape(), name=name)
            m.d.comb += signal.eq(value)
            return signal

        def maximum(a, b):
            if self.code_bits == 1:
                return a | b
            pairs = [(a.word_select(i, self.code_bits), b.word_select(i, self.code_bits)) for i in range(self.lanes)]
            return Cat(Mux(x > y, x, y) for x, y in pairs)

        # Offset binary: greater codes are greater words, and zero is the least.
        flip = Const(sum(1 << (lane * self.code_bits + self.code_bits - 1) for lane in range(self.lanes)))
        words = []
        for j in range(self.group):
            stream = getattr(self, f"stream_{j}")
            if self.is_signed:
                stream = named(Mux(getattr(self, f"live_{j}"), stream ^ flip, 0), f"flipped_{j}")
            words.append(stream)
        best = words[0]
        for j, word in enumerate(words[1:], start=1):
            best = named(maximum(best, word), f"best_{j}")
        word = Signal(self.word.shape(), name="held", reset_less=True)
        greatest = named(maximum(word, best), "greatest")
        with m.If(self.active):
            m.d.sync += word.eq(Mux(self.first, best, greatest))
        m.d.comb += self.word.eq(word ^ flip if self.is_signed else word)
        return m
