"""Binary weights times unsigned activations: pass or negate."""

from amaranth import Const, Module, Mux, Signal, signed

from rowloom.hw.units.base import Unit
from rowloom.hw.units.tree import registered, tree_level

__all__ = ["SignUnit"]


class SignUnit(Unit):
    """Sum of activations that the weights pass or negate, in the form of :class:`rowloom.hw.units.sign_spec.SignSpec`.

    The units of a column all see the same activations, so synthesis merges their pairs' sums and
    differences; what remains of a filter is a LUT for each bit of a pair, and an adder tree over
    half of the lanes. A padded tap needs no gating of its own: its activations are zero.

    Latency
    -------
    ``1 + max(1, ceil(log2(lanes / 2)))`` cycles.
    """

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        spec = self.spec.activations
        bits = spec.bits
        top = max(spec.max, -spec.min)

        # Cycle 1: the sum and the difference of each pair, the same in every row of a column.
        weights = registered(m, self.weights, name="weights_q")
        pairs = []
        for lane in range(0, self.lanes, 2):
            first = self._value(lane)
            second = self._value(lane + 1) if lane + 1 < self.lanes else Const(0, bits)
            total = Signal(signed(bits + 2), name=f"sum_{lane}", reset_less=True)
            difference = Signal(signed(bits + 2), name=f"difference_{lane}", reset_less=True)
            m.d.sync += [total.eq(first + second), difference.eq(first - second)]
            pairs.append((total, difference))

        # Further cycles: pick, negate, add.
        terms = []
        for i, (total, difference) in enumerate(pairs):
            plus, also = weights[2 * i], weights[2 * i + 1] if 2 * i + 1 < self.lanes else Const(1, 1)
            size = 2 if 2 * i + 1 < self.lanes else 1
            term = Signal(signed(bits + 2), name=f"pair_{i}")
            m.d.comb += term.eq(Mux(plus == also, total, difference) ^ (~plus).replicate(bits + 2))
            terms.append((term, -size * top - 1, size * top))
        terms = tree_level(m, terms, name="sum_q2")
        depth = 2
        while len(terms) > 1:
            depth += 1
            terms = tree_level(m, terms, name=f"sum_q{depth}")
        m.d.comb += self.sum.eq(terms[0][0])
        return m

    def _value(self, lane):
        code = self.activation(lane)
        return code.as_signed() if self.spec.activations.signed else code
