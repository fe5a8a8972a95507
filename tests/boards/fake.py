"""A stand-in for an accelerator: small, exact, and slow at random."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rowloom.boards.protocol import About


class FakeAccelerator(wiring.Component):
    """Takes an image and puts out, as value i, i - (i + 1) * (sum of the codes), wrapped to the output's width.

    Both streams stall at random, by a linear feedback shift register.
    """

    def __init__(self, about: About, *, stalls: bool = True):
        self.about = about
        self.stalls = stalls
        super().__init__(
            {
                "input": In(stream.Signature(about.input_bits)),
                "output": Out(stream.Signature(data.StructLayout({"value": signed(about.output_bits), "last": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lfsr = Signal(16, init=0xACE1)
        m.d.sync += lfsr.eq(lfsr[1:] | ((lfsr[0] ^ lfsr[2] ^ lfsr[3] ^ lfsr[5]) << 15))
        go = lfsr[0] if self.stalls else 1
        total = Signal(32)
        value = Signal(signed(32))
        count = Signal(range(max(self.about.input_beats, self.about.output_beats) + 1))
        with m.FSM():
            with m.State("TAKE"):
                m.d.sync += self.input.ready.eq(go)
                with m.If(self.input.valid & self.input.ready):
                    m.d.sync += [total.eq(total + self.input.payload), count.eq(count + 1)]
                    with m.If(count == self.about.input_beats - 1):
                        m.d.sync += [self.input.ready.eq(0), count.eq(0)]
                        m.next = "FIRST"
            with m.State("FIRST"):
                m.d.sync += value.eq(-total)
                m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += [
                    self.output.payload.value.eq(value),
                    self.output.payload.last.eq(count == self.about.output_beats - 1),
                ]
                with m.If(go):
                    m.d.sync += self.output.valid.eq(1)
                with m.If(self.output.valid & self.output.ready):
                    m.d.sync += [self.output.valid.eq(0), count.eq(count + 1), value.eq(value + 1 - total)]
                    with m.If(self.output.payload.last):
                        m.d.sync += [count.eq(0), total.eq(0)]
                        m.next = "TAKE"
        return m

    def expected(self, codes) -> list[int]:
        """Return the values that an image gives."""
        total = int(codes.sum())
        half, whole = 1 << (self.about.output_bits - 1), 1 << self.about.output_bits
        return [(i - (i + 1) * total + half) % whole - half for i in range(self.about.output_beats)]
