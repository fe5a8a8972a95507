"""The splitter: stores the words of a layer plane by plane."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PlaneSplitter"]


class PlaneSplitter(wiring.Component):
    """Turns each word of the columns into one word for each bit of its codes, written one after the other.

    Stands between what completes words and the bank writer. The mapping sees to it that no word
    follows another before all planes of that are written.

    Latency
    -------
    None to a word's first plane; one cycle from plane to plane. ``finished`` follows ``done`` by a
    cycle for each further plane.

    Members
    -------
    planes : In
        Words that a word becomes, constant during a layer.
    enable, bank, address, address_next, column_{q} : In
        As in :class:`rowloom.hw.writer.BankWriter`.
    word_{q} : In(lanes * bits of the widest code)
        Its planes, the first one in the low bits; all of it with one plane.
    plane_enable, plane_bank, plane_address, plane_address_next, plane_column_{q}, plane_word_{q} : Out
        What the bank writer takes.
    done, finished : 1
        Strobe: the layer's last word is there; so is its last plane.
    """

    planes: Signal
    enable: Signal
    bank: Signal
    address: Signal
    address_next: Signal
    done: Signal
    plane_enable: Signal
    plane_bank: Signal
    plane_address: Signal
    plane_address_next: Signal
    finished: Signal

    def __init__(self, *, hardware):
        self.hardware = hw = hardware
        widest = max(*hw.code_bits, *(bits for bits, _ in hw.pooled), 1)
        members = {"planes": In(range(hw.output_planes + 1)), "done": In(1), "finished": Out(1)}
        for prefix, flow, word in (("", In, hw.lanes * widest), ("plane_", Out, hw.word_bits)):
            members |= {
                f"{prefix}enable": flow(1),
                f"{prefix}bank": flow(hw.bank_bits),
                f"{prefix}address": flow(hw.address_bits),
                f"{prefix}address_next": flow(hw.address_bits),
            }
            for q in range(hw.cols):
                members |= {f"{prefix}column_{q}": flow(1), f"{prefix}word_{q}": flow(word)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        left = Signal.like(self.planes)  # planes of the held word that are still to be written
        with m.If(self.enable):
            m.d.sync += left.eq(self.planes - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += self.plane_enable.eq(self.enable | (left != 0))

        columns = range(self.hardware.cols)
        names = ("bank", "address", "address_next", *(f"{kind}_{q}" for kind in ("column", "word") for q in columns))
        for name in names:
            given, now = getattr(self, name), Signal.like(getattr(self, name), name=f"{name}_now")
            held = Signal.like(given, name=f"{name}_held", reset_less=True)
            m.d.comb += [now.eq(Mux(self.enable, given, held)), getattr(self, f"plane_{name}").eq(now)]
            if name.startswith("word"):
                m.d.sync += held.eq(now >> self.hardware.lanes)
            else:
                m.d.sync += held.eq(now + 1 if name.startswith("address") else now)

        waiting = Signal.like(self.planes)
        with m.If(self.done):
            m.d.sync += waiting.eq(self.planes - 1)
        with m.Elif(waiting != 0):
            m.d.sync += waiting.eq(waiting - 1)
        m.d.comb += self.finished.eq((self.done & (self.planes == 1)) | (waiting == 1))
        return m
