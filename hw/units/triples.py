"""Counts of three products of bits each: the one place where a device's carry chains come in."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Triples"]


class Triples(wiring.Component):
    """``counts``: how many of three neighbouring lanes are set in ``first & second``, or in ``first ^ second``.

    Gates for any device are here for comparison; population counts ask for triples only on a platform
    whose method ``get_triples(triples)`` gives better ones.

    Latency
    -------
    None, combinational.

    Parameters
    ----------
    groups : int
        Threes of lanes.
    xor : bool
        Whether bits are compared; otherwise both must be set.

    Members
    -------
    first, second : In(3 * groups)
    counts : Out(2 * groups)
    """

    def __init__(self, *, groups, xor):
        self.groups, self.xor = groups, xor
        super().__init__({"first": In(3 * groups), "second": In(3 * groups), "counts": Out(2 * groups)})

    def elaborate(self, platform):
        """Return the platform's gates, or these."""
        if hasattr(platform, "get_triples"):
            return platform.get_triples(self)
        m = Module()
        products = self.first ^ self.second if self.xor else self.first & self.second
        for group in range(self.groups):
            m.d.comb += self.counts.word_select(group, 2).eq(sum(products[3 * group + i] for i in range(3)))
        return m
