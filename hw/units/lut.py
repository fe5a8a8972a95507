"""Small codes: the product is read from a table."""

from amaranth import Cat

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import code_of, known, table

__all__ = ["LutUnit"]


class LutUnit(TermUnit):
    """Sum of products that a table holds for every pair of codes, in the form of its spec.

    There is no multiplier and no adder in a product, only look-up tables of both codes' bits.
    """

    def term(self, m, lane):
        """The table's entry for both codes."""
        weights, activations = self.spec.weights, self.spec.activations
        products = []
        for w in range(1 << weights.bits):
            for a in range(1 << activations.bits):
                codes = known(w, weights) and known(a, activations)
                products.append(_value(w, weights) * _value(a, activations) if codes else 0)
        return table(m, Cat(self.activation(lane), self.weight(lane)), products, name=f"product_{lane}")


def _value(bits, encoding):
    return int(encoding.decode(code_of(bits, encoding)))
