"""Five-level weights: gate, pass, double, complement."""

from amaranth import Mux

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import value_of

__all__ = ["QuinaryUnit"]


class QuinaryUnit(TermUnit):
    """Sum of activations that the weights gate, pass, double and complement, in the form of its spec."""

    def term(self, m, lane):
        """Activation times 0, 1 or 2, complemented if the weight is negative."""
        weight = self.weight(lane)  # -2 110, -1 111, 0 000, 1 001, 2 010
        value = value_of(m, self.activation(lane), self.spec.activations, name=f"activation_{lane}")
        doubled = weight[1] & ~weight[0]
        return self.signed_term(m, Mux(weight[0], value, Mux(doubled, value << 1, 0)), weight[2], lane)
