"""Packs codes into words."""

from amaranth import Cat, Module, Mux, Signal
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
    wide : int
        Codes that come together where ``spread`` is set, a multiple of ``drains``.

    Members
    -------
    codes : In(wide * code_bits)
        The low ones count where ``spread`` is not set.
    spread : In(1)
        Constant during a layer; there only if ``wide`` is more than ``drains``.
    enable, first : In(1)
        There are codes; they open a word.
    slot : In
        Their place in the word, in units of as many lanes as come together.
    word : Out(lanes * code_bits)
    """

    codes: Signal
    spread: Signal
    enable: Signal
    first: Signal
    slot: Signal
    word: Signal

    def __init__(self, *, lanes, drains, wide, code_bits):
        self.lanes = lanes
        self.wide = wide
        self.code_bits = code_bits
        self.drains = drains
        super().__init__(
            {
                "codes": In(wide * code_bits),
                **({"spread": In(1)} if wide > drains else {}),
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
        together = self.wide // self.drains  # slots that a wide emission fills
        for i, slot in enumerate(slots):
            here, codes = self.slot == i, self.codes
            if together > 1:
                here = Mux(self.spread, self.slot == i // together, here)
                codes = Mux(self.spread, codes.word_select(i % together, len(slot)), codes[: len(slot)])
            if i:
                with m.If(self.enable & self.first):
                    m.d.sync += slot.eq(0)
            with m.If(self.enable & here):
                m.d.sync += slot.eq(codes)
        m.d.comb += self.word.eq(Cat(slots))
        return m
