"""Any integers: multiply."""

from rowloom.hw.units.pair import MultiplierPair
from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import value_of

__all__ = ["MultiplyUnit"]


class MultiplyUnit(TermUnit):
    """Sum of products of integers, in the form of its spec, from pairs of multipliers.

    The pairs take DSP blocks where the platform has them, see :class:`rowloom.hw.units.pair.MultiplierPair`.
    """

    def terms(self, m):
        """The products, two lanes a pair; an odd last one leaves half of a pair unused."""
        products = []
        for lane in range(0, self.lanes, 2):
            first, second = self.spec.activations, self.spec.weights
            pair = MultiplierPair(first=(first.min, first.max), second=(second.min, second.max))
            m.submodules[f"pair_{lane // 2}"] = pair
            for i, (activation, weight, product) in enumerate(pair.lanes[: self.lanes - lane]):
                at = lane + i
                m.d.comb += [
                    activation.eq(value_of(m, self.activation(at), first, name=f"activation_{at}")),
                    weight.eq(value_of(m, self.weight(at), second, name=f"weight_{at}")),
                ]
                products.append(product)
        return products
