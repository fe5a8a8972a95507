"""The write side of the banks: columns first, the loader when they leave a bank alone."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BankWriter"]


class BankWriter(wiring.Component):
    """Brings each column's word to the bank of its output row, and the loader's to any bank.

    Latency
    -------
    One cycle to the banks' write ports.

    Members
    -------
    enable : In(1)
        The columns' words are complete.
    bank : In(bank_bits)
        Bank of column 0; column q writes bank ``(bank + q) % banks``.
    side : In(count_bits)
        Where pixels become squares, their side less one: column q writes bank ``(bank + q * (side + 1)) % banks``.
        Constant during a layer.
    address, address_next : In(address_bits)
        Address in banks from ``bank`` upwards, and in the banks below it.
    column_{q}, word_{q} : In
        Column q holds an output row; its word.
    load_enable, load_bank, load_address, load_data : In
        A word of the loader, kept until taken.
    load_ready : Out(1)
        It is taken in this cycle.
    write_enable_{b}, write_address_{b}, write_data_{b} : Out
    """

    enable: Signal
    bank: Signal
    address: Signal
    address_next: Signal
    load_enable: Signal
    load_bank: Signal
    load_address: Signal
    load_data: Signal
    load_ready: Signal

    def __init__(self, *, hardware):
        self.hardware = hardware
        a, w, n = hardware.address_bits, hardware.word_bits, hardware.bank_bits
        members = {
            "enable": In(1),
            "bank": In(n),
            "address": In(a),
            "address_next": In(a),
            "load_enable": In(1),
            "load_bank": In(n),
            "load_address": In(a),
            "load_data": In(w),
            "load_ready": Out(1),
        }
        if hardware.squares:
            members["side"] = In(hardware.count_bits)
        for q in range(hardware.cols):
            members |= {f"column_{q}": In(1), f"word_{q}": In(w)}
        for b in range(hardware.banks):
            members |= {f"write_enable_{b}": Out(1), f"write_address_{b}": Out(a), f"write_data_{b}": Out(w)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw = self.hardware
        load_ready = Signal(hw.banks)
        places = [self.bank + q for q in range(hw.cols)]
        if hw.squares:
            steps = [Signal(hw.bank_bits, name=f"step_{q}", reset_less=True) for q in range(hw.cols)]
            m.d.sync += [step.eq(q * self.side + q) for q, step in enumerate(steps)]
            places = [self.bank + step for step in steps]
        for b in range(hw.banks):
            taken, data = Signal(name=f"taken_{b}"), Signal(hw.word_bits, name=f"data_{b}")
            for q in range(hw.cols):
                if (b - q) % hw.write_step:
                    continue  # by the strip heights, this column never writes this bank
                here = places[q][: hw.bank_bits] == b
                with m.If(here & getattr(self, f"column_{q}")):
                    m.d.comb += [taken.eq(self.enable), data.eq(getattr(self, f"word_{q}"))]
            load_here = Signal(name=f"load_here_{b}")
            m.d.comb += [
                load_here.eq(self.load_enable & (self.load_bank == b)),
                load_ready[b].eq(load_here & ~taken),
            ]
            m.d.sync += [
                getattr(self, f"write_enable_{b}").eq(taken | load_here),
                getattr(self, f"write_address_{b}").eq(
                    Mux(taken, Mux(b < self.bank, self.address_next, self.address), self.load_address)
                ),
                getattr(self, f"write_data_{b}").eq(Mux(taken, data, self.load_data)),
            ]
        m.d.comb += self.load_ready.eq(load_ready.any())
        return m
