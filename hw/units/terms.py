"""Base of the units that form a term for every lane and add the terms."""

from amaranth import Module, Mux, Signal

from rowloom.hw.units.base import Unit
from rowloom.hw.units.tree import registered, tree_level

__all__ = ["TermUnit"]


class TermUnit(Unit):
    """Adds one term a lane in a pipelined tree, in the form of :class:`rowloom.hw.units.term_spec.TermSpec`.

    Latency
    -------
    ``spec.stages + max(1, ceil(log2(lanes)))`` cycles.
    """

    def terms(self, m):
        """The terms of all lanes as signals, ``spec.stages`` cycles after their codes."""
        return [self.term(m, lane) for lane in range(self.lanes)]

    def term(self, m, lane):
        """The term of a lane, for units whose lanes have nothing to do with each other."""
        raise NotImplementedError

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        low, high = self.spec.term_range()
        live = self.live
        terms = [(term, low, high) for term in self.terms(m)]
        for stage in range(self.spec.stages):
            live = registered(m, live, name=f"live_term_q{stage + 1}")
        depth = 0
        while len(terms) > 2:
            depth += 1
            terms = tree_level(m, terms, name=f"sum_q{depth}")
            live = registered(m, live, name=f"live_q{depth}")
        total = Signal(self.sum.shape(), name="total", reset_less=not self.spec.gated)
        m.d.sync += total.eq(sum(t for t, _, _ in terms))
        if self.spec.gated:  # nothing is owed: a padded tap is plainly zero
            with m.If(~live):
                m.d.sync += total.eq(0)
        m.d.comb += self.sum.eq(total)
        return m

    def signed_term(self, m, magnitude, negative, lane):
        """``magnitude``, complemented where ``negative``; negated where padding must be gated."""
        low, high = self.spec.term_range()
        term = Signal(range(low, high + 1), name=f"term_{lane}_value")
        wide = Signal(range(low, high + 1), name=f"term_{lane}_magnitude")
        m.d.comb += wide.eq(magnitude)
        if self.spec.gated:
            m.d.comb += term.eq(Mux(negative, -wide, wide))
        else:
            m.d.comb += term.eq(wide ^ negative.replicate(len(wide)))
        return term
