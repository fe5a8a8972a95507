"""Ternary weights: gate, pass or complement."""

from amaranth import Mux

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import value_of

__all__ = ["TernaryUnit"]


class TernaryUnit(TermUnit):
    """Sum of activations that the weights gate, pass or complement, in the form of its spec.

    Under a zero weight the term is all zero, so that nothing toggles.
    """

    def term(self, m, lane):
        """Activation if the weight is 1, complement if it is -1, else zero."""
        weight = self.weight(lane)
        value = value_of(m, self.activation(lane), self.spec.activations, name=f"activation_{lane}")
        return self.signed_term(m, Mux(weight[0], value, 0), weight[1], lane)
