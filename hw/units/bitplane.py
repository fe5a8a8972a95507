"""Integers as bit planes: AND, population count, shift, add."""

from amaranth import Cat, Module, Signal

from rowloom.hw.units.base import Unit
from rowloom.hw.units.popcount import population_count
from rowloom.hw.units.tree import tree_level

__all__ = ["BitplaneUnit"]


class BitplaneUnit(Unit):
    """Sum of ``2^(i+j) popcount(and(w_i, a_j))`` over the planes of both sides, in the form of its spec.

    Latency
    -------
    ``1 + ceil(log2(ceil(lanes / 4)))`` cycles for the counts, ``max(1, ceil(log2(planes)))`` for
    their sum.

    References
    ----------
    Umuroglu, Rasnayake, Sjalander, "BISMO: A Scalable Bit-Serial Matrix Multiplication Overlay",
    FPL 2018, section II; here the planes are in space instead of time.
    """

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        terms = []
        for i, j, weight in self.spec.planes():
            planes = [
                Cat(code(lane)[bit] for lane in range(self.lanes))
                for code, bit in ((self.weight, i), (self.activation, j))
            ]
            parts, _ = population_count(m, platform, *planes, agree=False, name=f"count_{i}_{j}")
            count = Signal(range(self.lanes + 1), name=f"count_{i}_{j}", reset_less=True)
            m.d.sync += count.eq(sum(part for part, _, _ in parts))
            shifted = count << (i + j)
            low, high = sorted((0, weight * self.lanes))
            terms.append((-shifted if weight < 0 else shifted, low, high))
        terms = tree_level(m, terms, name="sum_q1")
        depth = 1
        while len(terms) > 1:
            depth += 1
            terms = tree_level(m, terms, name=f"sum_q{depth}")
        m.d.comb += self.sum.eq(terms[0][0])
        return m
