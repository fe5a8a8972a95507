"""The walk over words of weights that are not all zero."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SkipTable"]


class SkipTable(wiring.Component):
    """Reads where the next word lies that must be multiplied, for layers that leave words out.

    An entry holds a word's place in the window of its block: how far it is from the window's start in the bank, in
    columns and in rows; whether it ends the block; and whether the table starts anew behind it, for the next pixel.

    Latency
    -------
    ``launch`` two cycles after ``start``; then an entry a cycle.

    Members
    -------
    start : In(1)
        Strobe: begin at entry ``origin``, which is constant from then on.
    origin : In
    advance : In(1)
        The word is taken.
    launch : Out(1)
        Strobe: ``a``, ``x`` and ``y`` are those of the first word, which has its turn in the next cycle.
    a, x, y : Out
        Place of the word after the one that has its turn.
    last : Out(1)
        The word that has its turn ends a block.
    write_enable, write_address, write_data : In
        Write an entry; only where entries are loaded.
    """

    start: Signal
    origin: Signal
    advance: Signal
    launch: Signal
    a: Signal
    x: Signal
    y: Signal
    last: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal

    def __init__(self, *, hardware, init):
        self.hardware = hardware
        self.init = list(init)
        self.fields = hardware.skips.fields
        members = {
            "start": In(1),
            "origin": In(hardware.skips.address_bits),
            "advance": In(1),
            "launch": Out(1),
            **{name: Out(self.fields[name]) for name in ("a", "x", "y")},
            "last": Out(1),
        }
        if hardware.load_bits:
            members |= {
                "write_enable": In(1),
                "write_address": In(hardware.skips.address_bits),
                "write_data": In(sum(self.fields.values())),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw, entry = self.hardware, data.StructLayout(self.fields)
        logic = len(self.init) * entry.size <= hw.logic_bits
        attrs = {} if hw.load_bits else {"rom_style": "logic" if logic else "block"}
        m.submodules.table = table = memory.Memory(shape=entry.size, depth=hw.skips.depth, init=self.init, attrs=attrs)
        if hw.load_bits:
            write = table.write_port()
            m.d.comb += [
                write.en.eq(self.write_enable),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
            ]
        port = table.read_port(domain="sync")
        shown, index = data.View(entry, port.data), Signal.like(self.origin, reset_less=True)
        opening, move = Signal(2), Signal()
        following = Signal(entry, reset_less=True)
        m.d.comb += [
            move.eq(self.advance | opening.any()),
            port.addr.eq(Mux(self.start, self.origin, Mux(move, Mux(shown.wrap, self.origin, index + 1), index))),
            self.launch.eq(opening[1]),
            self.a.eq(following.a),
            self.x.eq(following.x),
            self.y.eq(following.y),
        ]
        m.d.sync += [opening.eq(Cat(self.start, opening[0])), index.eq(port.addr)]
        with m.If(move):
            m.d.sync += [following.eq(shown), self.last.eq(following.last)]
        return m
