"""From banks to streams: every input row to the processing elements that work on it."""

from amaranth import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Crossbar"]


class Crossbar(wiring.Component):
    """Gives each stream the word of the bank that holds its input row, ``pad`` in every code where it is padding.

    Since every stream picks its bank, stride, padding and the position of a strip leave the
    layout of the maps alone.

    Latency
    -------
    One cycle.

    Members
    -------
    bank_{b} : In(word_bits)
    pad : In(pad_bits)
        Code that means 0, constant during a layer; there only if that may be another than 0.
    select_{j}_{q}, live_{j}_{q} : In
        Bank of stream (j, q), and whether its word counts; valid with the banks' words.
    stream_{j}_{q} : Out(word_bits)
    stream_live_{j}_{q} : Out(1)
    """

    def __init__(self, *, hardware):
        self.hardware = hardware
        members = {f"bank_{b}": In(hardware.word_bits) for b in range(hardware.banks)}
        if hardware.pad_bits:
            members["pad"] = In(hardware.pad_bits)
        for q in range(hardware.cols):
            for j in range(hardware.group):
                members[f"select_{j}_{q}"] = In(hardware.bank_bits)
                members[f"live_{j}_{q}"] = In(1)
                members[f"stream_{j}_{q}"] = Out(hardware.word_bits)
                members[f"stream_live_{j}_{q}"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        dead = 0
        if self.hardware.pad_bits:
            dead = self.pad.replicate(-(-self.hardware.word_bits // self.hardware.pad_bits))[: self.hardware.word_bits]
        banks = Array(getattr(self, f"bank_{b}") for b in range(self.hardware.banks))
        for q in range(self.hardware.cols):
            for j in range(self.hardware.group):
                stream = Signal(self.hardware.word_bits, name=f"stream_{j}_{q}_q", reset_less=True)
                live = getattr(self, f"live_{j}_{q}")
                with m.If(live):
                    m.d.sync += stream.eq(banks[getattr(self, f"select_{j}_{q}")])
                with m.Else():
                    m.d.sync += stream.eq(dead)
                m.d.sync += getattr(self, f"stream_live_{j}_{q}").eq(live)
                m.d.comb += getattr(self, f"stream_{j}_{q}").eq(stream)
        return m
