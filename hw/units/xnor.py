"""Binary times binary: XNOR and population count."""

from amaranth import Cat, Module, Mux, Signal

from rowloom.hw.units.base import Unit
from rowloom.hw.units.popcount import population_count
from rowloom.hw.units.tree import registered

__all__ = ["XnorUnit"]


class XnorUnit(Unit):
    """Population count of the XNOR of two words, in the form of :class:`rowloom.hw.units.xnor_spec.XnorSpec`.

    Four products become a 3-bit count in seven LUT4s: a half adder takes two products with their
    XNORs inside its two LUTs, and the sum of two 2-bit numbers has four inputs. Where the platform
    counts by three (:class:`rowloom.hw.units.triples.Triples`), two such counts make one of six.
    Adders add the counts.

    Latency
    -------
    ``1 + ceil(log2(ceil(lanes / 4)))`` cycles.
    """

    def elaborate(self, platform):
        m = Module()
        live, odd = self.live, self.odd

        # Cycle 1: count by fours or sixes. Further cycles: add the counts.
        terms, depth = population_count(m, platform, self.activations, self.weights, agree=True, name="count")
        for stage in range(depth):
            live, odd = registered(m, live, name=f"live_q{stage}"), registered(m, odd, name=f"odd_q{stage}")

        # Last cycle: a padded tap counts as half of its lanes.
        count = Signal(range(self.lanes + 1), reset_less=True)
        m.d.sync += count.eq(Mux(live, sum(t[0] for t in terms), self.lanes // 2))
        if self.spec.half:
            half = Signal(reset_less=True)
            m.d.sync += half.eq(Mux(live, odd, self.lanes % 2))
            m.d.comb += self.sum.eq(Cat(half, count))
        else:
            m.d.comb += self.sum.eq(count)
        return m
