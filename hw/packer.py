"""Packs codes into words."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Packer"]


class Packer(wiring.Component):
    """Puts the codes of a column's drain lanes side by side until a word is full.

    A new word starts all zero, so that lanes without a channel stay zero.

    Latency
    -------
    ``word`` holds an emission's codes one cycle after ``enable``.

    Parameters
    ----------
    lanes, code_bits : int
        Codes of a word, and their width.
    drains : int
        Codes that come together.

    Members
    -------
    codes : In(drains * code_bits)
    enable, first : In(1)
        There are codes; they open a word.
    slot : In
        Their place in the word, in units of ``drains`` lanes.
    word : Out(lanes * code_bits)
    """

    codes: Signal
    enable: Signal
    first: Signal
    slot: Signal
    word: Signal

    def __init__(self, *, lanes, drains, code_bits):
        self.lanes = lanes
        self.code_bits = code_bits
        self.drains = drains
        super().__init__(
            {
                "codes": In(drains * code_bits),
                "enable": In(1),
                "first": In(1),
                "slot": In(range(max(2, lanes // drains))),
                "word": Out(lanes * code_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        slots = [
            Signal(self.drains * self.code_bits, name=f"slot_{i}", reset_less=True)
            for i in range(self.lanes // self.drains)
        ]
        for i, slot in enumerate(slots):
            if i:
                with m.If(self.enable & self.first):
                    m.d.sync += slot.eq(0)
            with m.If(self.enable & (self.slot == i)):
                m.d.sync += slot.eq(self.codes)
        m.d.comb += self.word.eq(Cat(slots))
        return m
