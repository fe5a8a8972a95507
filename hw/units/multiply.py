"""Any integers: multiply."""

from amaranth import Signal

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import value_of

__all__ = ["MultiplyUnit"]


class MultiplyUnit(TermUnit):
    """Sum of products of integers, in the form of its spec; a register behind each multiplier.

    Synthesis puts the multipliers into DSP blocks where the device has any.
    """

    def term(self, m, lane):
        """The product of both values."""
        low, high = self.spec.term_range()
        activation = value_of(m, self.activation(lane), self.spec.activations, name=f"activation_{lane}")
        weight = value_of(m, self.weight(lane), self.spec.weights, name=f"weight_{lane}")
        product = Signal(range(low, high + 1), name=f"product_{lane}")
        m.d.comb += product.eq(activation * weight)
        return product
