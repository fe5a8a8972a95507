"""Binary weights times unsigned activations: pass or negate."""

from amaranth import Cat, Module

from rowloom.hw.units.base import Unit
from rowloom.hw.units.spec import SignSpec
from rowloom.hw.units.tree import tree_level

__all__ = ["SignUnit"]


class SignUnit(Unit):
    """Sum of activations that the weights pass or complement, in the form of :class:`SignSpec`.

    A padded tap needs no gating of its own: its activations are zero, and the complement of zero
    is owed one like any other.

    Latency
    -------
    ``max(1, ceil(log2(lanes)))`` cycles.
    """

    SPEC = SignSpec

    def elaborate(self, platform):
        m = Module()
        low, high = self.SPEC.word_range(1, self.activation_bits, half=False)
        terms = []
        for lane in range(self.lanes):
            code = self.activations.word_select(lane, self.activation_bits)
            negate = ~self.weights[lane]
            terms.append((Cat(code ^ negate.replicate(self.activation_bits), negate).as_signed(), low, high))
        terms = tree_level(m, terms, name="sum_q1")
        depth = 1
        while len(terms) > 1:
            depth += 1
            terms = tree_level(m, terms, name=f"sum_q{depth}")
        m.d.comb += self.sum.eq(terms[0][0])
        return m
