"""Two multipliers: the one place where a device's DSP blocks come in."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.units.term_spec import multiplier_stages
from rowloom.hw.units.tree import registered, shape_for
from rowloom.hw.units.value import table

__all__ = ["MultiplierPair"]

#: Bits of both operands together up to which a product is a table: a look-up table for each of its bits.
TABLE_BITS = 4


class MultiplierPair(wiring.Component):
    """``products[i] = first[i] * second[i]`` for two i: the operands of a lane and of its neighbour.

    A platform with a method ``get_multiplier_pair(pair)`` may give gates of its own with the same members
    and latency, or None to leave it to these, which are for any device: two bits of the narrower
    operand at a time times the other one, and a tree that adds these rows.

    Latency
    -------
    ``stages = 1 + ceil(log2(ceil(bits / 2)))`` cycles for a narrower operand of so many bits;
    throughput one pair a cycle.

    Parameters
    ----------
    first, second : tuple of int
        Least and greatest value of an operand.

    Members
    -------
    first_{i}, second_{i} : In(shape of the operand)
    product_{i} : Out(shape of their products)
    """

    def __init__(self, *, first, second):
        self.first, self.second = first, second
        self.bounds = _product(first, second)
        self.shapes = shape_for(*first), shape_for(*second)
        self.stages = multiplier_stages(*(shape.width for shape in self.shapes))
        members = {}
        for i in range(2):
            members[f"first_{i}"], members[f"second_{i}"] = map(In, self.shapes)
            members[f"product_{i}"] = Out(shape_for(*self.bounds))
        super().__init__(members)

    @property
    def lanes(self):
        """Operands and product of each of the two."""
        return [tuple(getattr(self, f"{name}_{i}") for name in ("first", "second", "product")) for i in range(2)]

    def elaborate(self, platform):
        """Return the platform's gates, or these."""
        if hasattr(platform, "get_multiplier_pair"):
            made = platform.get_multiplier_pair(self)
            if made is not None:
                return made
        m = Module()
        for i, (first, second, product) in enumerate(self.lanes):
            m.d.comb += product.eq(self._multiply(m, first, second, f"multiply_{i}"))
        return m

    def _multiply(self, m, first, second, name):
        if len(first) + len(second) <= TABLE_BITS:
            products = [
                _meant(a, first.shape()) * _meant(b, second.shape())
                for b in range(1 << len(second))
                for a in range(1 << len(first))
            ]
            return registered(m, table(m, Cat(first, second), products, name=name), name=f"{name}_row")
        wide, narrow = (first, second) if len(first) >= len(second) else (second, first)
        bounds = self.first if wide is first else self.second
        rows = [self._row(m, wide, bounds, narrow, at, name) for at in range(0, len(narrow), 2)]
        step = 2
        while len(rows) > 1:
            rows = [self._add(m, rows[at : at + 2], step, f"{name}_{step}_{at // 2}") for at in range(0, len(rows), 2)]
            step *= 2
        return rows[0][0]

    def _row(self, m, wide, bounds, narrow, at, name):
        """``wide`` times two bits of ``narrow``, the top one of which may weigh negatively."""
        bits = narrow[at : at + 2]
        signed = narrow.shape().signed and at + len(bits) == len(narrow)
        top = 1 << len(bits)
        low, high = _product(bounds, (-top // 2, top // 2 - 1) if signed else (0, top - 1))
        parts = [Mux(bit, wide, 0) << i for i, bit in enumerate(bits)]
        value = parts[0] if len(bits) == 2 or not signed else -parts[0]
        if len(bits) == 2:
            value = value - parts[1] if signed else value + parts[1]
        row = Signal(shape_for(low, high), name=f"{name}_row_{at}", reset_less=True)
        m.d.sync += row.eq(value)
        return row, low, high

    def _add(self, m, rows, shift, name):
        """The second row ``shift`` bits above the first; where there is none, the first."""
        (value, low, high), *rest = rows
        for upper, least, greatest in rest:
            value = Cat(value[:shift], (value >> shift) + upper)
            low, high = low + (least << shift), high + (greatest << shift)
        total = Signal(shape_for(low, high), name=name, reset_less=True)
        m.d.sync += total.eq(value)
        return total, low, high


def _product(first, second):
    """Least and greatest product of two ranges."""
    corners = [a * b for a in first for b in second]
    return min(*corners, 0), max(*corners, 0)


def _meant(bits, shape):
    """The integer that these bits are."""
    return bits - (1 << shape.width) if shape.signed and bits >> (shape.width - 1) else bits
