"""Binary times binary: XNOR and population count."""

from amaranth import Cat, Const, Module, Mux, Signal

from rowloom.hw.units.base import Unit
from rowloom.hw.units.tree import registered, tree_level

__all__ = ["XnorUnit"]


class XnorUnit(Unit):
    """Population count of the XNOR of two words, in the form of :class:`rowloom.hw.units.xnor_spec.XnorSpec`.

    Four products become a 3-bit count in seven LUT4s: a half adder takes two products with their
    XNORs inside its two LUTs, and the sum of two 2-bit numbers has four inputs. Adders add the
    counts.

    Latency
    -------
    ``1 + ceil(log2(ceil(lanes / 4)))`` cycles.
    """

    def elaborate(self, platform):
        m = Module()
        products = Signal(self.lanes)
        m.d.comb += products.eq(~(self.activations ^ self.weights))
        live, odd = self.live, self.odd

        # Cycle 1: count by fours. Further cycles: add the counts.
        terms = [(_count_four(products[at : at + 4]), 0, min(4, self.lanes - at)) for at in range(0, self.lanes, 4)]
        if len(terms) > 1:
            terms = [(registered(m, t, name=f"count_{i}"), low, high) for i, (t, low, high) in enumerate(terms)]
            live, odd = registered(m, live, name="live_q1"), registered(m, odd, name="odd_q1")
        depth = 1
        while len(terms) > 2:
            depth += 1
            terms = tree_level(m, terms, name=f"count_q{depth}")
            live, odd = registered(m, live, name=f"live_q{depth}"), registered(m, odd, name=f"odd_q{depth}")

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


def _count_four(products):
    """Population count of up to four bits as logic, so that no carry chain is spent on it."""
    bits = [products[i] if i < len(products) else Const(0, 1) for i in range(4)]
    low0, high0 = bits[0] ^ bits[1], bits[0] & bits[1]
    low1, high1 = bits[2] ^ bits[3], bits[2] & bits[3]
    carry = low0 & low1
    return Cat(low0 ^ low1, high0 ^ high1 ^ carry, (high0 & high1) | (carry & (high0 | high1)))
