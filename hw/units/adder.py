"""Minus the distance: subtract, and complement what is not negative."""

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned

from rowloom.hw.units.base import Unit
from rowloom.hw.units.tree import registered
from rowloom.hw.units.value import code_of, known, table, value_of

__all__ = ["AdderUnit"]


class AdderUnit(Unit):
    """Sum of ``-abs(a - w)``, in the form of :class:`rowloom.hw.units.adder_spec.AdderSpec`.

    With n = ``magnitude_bits`` and ``d = a - w``, ``2^n - abs(d)`` is the low n bits of d where d is negative, and the
    complement of them, plus one, where it is not. That one enters an adder of the tree as its carry, since d only has
    its sign when the weights are long gone: a lane costs a subtraction and a LUT a bit. A tree has one adder fewer than
    lanes, so the last lane subtracts both ways round instead. Narrow codes are looked up in a table.

    Latency
    -------
    ``1 + max(1, ceil(log2(lanes)))`` cycles.

    References
    ----------
    Chen, Wang, Xu, Shi, Xu, Tian, Xu, "AdderNet: Do We Really Need Multiplications in Deep Learning?", CVPR 2020,
    section 3.1.
    """

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()

        # Cycle 1: the differences, or what a table makes of two codes.
        if self.spec.tabled:
            terms = [(self._looked_up(m, lane), self.spec.ceiling) for lane in range(self.lanes)]
            carries = []
        else:
            pairs = [self._lane(m, lane) for lane in range(self.lanes - 1)]
            top = (1 << self.spec.magnitude_bits) - 1
            terms = [(term, top) for term, _ in pairs] + [(self._whole(m, self.lanes - 1), top + 1)]
            carries = [carry for _, carry in pairs]
        live = registered(m, self.live, name="live_q1")

        # Further cycles: add, with a carry into every adder while there are any.
        depth = 1
        while len(terms) > 2:
            depth += 1
            terms, carries = self._level(m, terms, carries, depth)
            live = registered(m, live, name=f"live_q{depth}")

        # Last cycle: a padded tap is at no distance from any weight.
        total = Signal(self.sum.shape(), name="total", reset_less=True)
        m.d.sync += total.eq(_sum([t for t, _ in terms], carries))
        with m.If(~live):
            m.d.sync += total.eq(self.lanes * self.spec.ceiling)
        m.d.comb += self.sum.eq(total)
        return m

    def _values(self, m, lane):
        """Values of both sides."""
        sides = ((self.activation(lane), self.spec.activations), (self.weight(lane), self.spec.weights))
        return [
            value_of(m, code, encoding, name=f"{type(encoding).__name__}_{lane}_{i}")
            for i, (code, encoding) in enumerate(sides)
        ]

    def _lane(self, m, lane):
        """The term of a lane and the one that it lacks, a cycle later."""
        activation, weight = self._values(m, lane)
        difference = Signal(signed(self.spec.magnitude_bits + 1), name=f"difference_{lane}", reset_less=True)
        m.d.sync += difference.eq(activation - weight)
        positive = ~difference[-1]
        return difference[:-1] ^ positive.replicate(self.spec.magnitude_bits), positive

    def _whole(self, m, lane):
        """The term of a lane that lacks nothing, a cycle later."""
        activation, weight = self._values(m, lane)
        bits = self.spec.magnitude_bits
        there, back = (Signal(signed(bits + 1), name=f"{name}_{lane}") for name in ("there", "back"))
        m.d.comb += [there.eq(activation - weight), back.eq(weight - activation)]
        nearer = Signal(signed(bits + 1), name=f"nearer_{lane}", reset_less=True)
        m.d.sync += nearer.eq(Mux(there[-1], there, back))
        return Cat(nearer[:-1], ~nearer[-1])

    def _looked_up(self, m, lane):
        """The term of a lane of narrow codes, a cycle later."""
        weights, activations = self.spec.weights, self.spec.activations
        terms = []
        for w in range(1 << weights.bits):
            for a in range(1 << activations.bits):
                distance = abs(code_of(a, activations) - code_of(w, weights))
                terms.append(self.spec.ceiling - distance if known(w, weights) and known(a, activations) else 0)
        entry = table(m, Cat(self.activation(lane), self.weight(lane)), terms, name=f"term_{lane}")
        return registered(m, entry, name=f"term_{lane}_q")

    def _level(self, m, terms, carries, depth):
        """Sums of neighbours, and the carries that are left, a cycle later."""
        sums = []
        for i in range(0, len(terms), 2):
            pair, carry = terms[i : i + 2], carries[i // 2 : i // 2 + 1] if i + 1 < len(terms) else []
            top = sum(t for _, t in pair) + len(carry)
            result = Signal(unsigned(top.bit_length()), name=f"sum_q{depth}_{i // 2}", reset_less=True)
            m.d.sync += result.eq(_sum([term for term, _ in pair], carry))
            sums.append((result, top))
        left = [registered(m, c, name=f"carry_q{depth}_{i}") for i, c in enumerate(carries[len(terms) // 2 :])]
        return sums, left


def _sum(terms, carry):
    """One or two unsigned terms and at most one carry, on one carry chain: it comes out of a bit below the others."""
    if len(terms) == 1 or not carry:
        return sum(terms)
    return (Cat(Const(1, 1), terms[0]) + Cat(carry[0], terms[1]))[1:]
