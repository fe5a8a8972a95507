"""Small codes: the product is read from a table."""

import numpy as np
from amaranth import Cat

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.tree import registered
from rowloom.hw.units.value import code_of, known, table

__all__ = ["LutUnit"]


class LutUnit(TermUnit):
    """Sum of products that a table holds for every pair of codes, in the form of its spec.

    There is no multiplier and no adder in a product, only look-up tables of both codes' bits.
    """

    def term(self, m, lane):
        """The table's entry for both codes, less what the weight owes."""
        weights, activations = self.spec.weights, self.spec.activations
        entries = []
        for w in range(1 << weights.bits):
            for a in range(1 << activations.bits):
                codes = known(w, weights) and known(a, activations)
                entries.append(self._entry(code_of(w, weights), code_of(a, activations)) if codes else 0)
        entry = table(m, Cat(self.activation(lane), self.weight(lane)), entries, name=f"product_{lane}")
        return registered(m, entry, name=f"term_{lane}")

    def _entry(self, weight, activation):
        product = int(self.spec.weights.decode(weight)) * int(self.spec.activations.decode(activation))
        return product - int(self.spec.owed(np.array(weight)))
