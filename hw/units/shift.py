"""Powers of two: shift instead of multiplying."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Mux, Signal

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.tree import registered
from rowloom.hw.units.value import table, value_of
from rowloom.model.encodings import PowerOfTwo

__all__ = ["ShiftUnit"]


class ShiftUnit(TermUnit):
    """Sum of shifted values, in the form of :class:`rowloom.hw.units.term_spec.ShiftSpec`.

    With logarithmic weights or activations the other side is shifted; with both the exponents add
    and a single bit is set.

    References
    ----------
    Miyashita, Lee, Murmann, 2016, section 3.2 (equations 8 and 9, the two dot products).
    """

    def term(self, m, lane):
        """The product of a lane, less the low zero bits of the least exponents."""
        weights, activations = self.spec.weights, self.spec.activations
        weight, activation = self.weight(lane), self.activation(lane)
        if isinstance(weights, PowerOfTwo) and isinstance(activations, PowerOfTwo):
            return self._power(m, lane)
        if isinstance(weights, PowerOfTwo):
            shifted, negative = self._shifted(m, (weight, weights), (activation, activations), lane)
            if not self.spec.gated:
                term = self.signed_term(m, shifted, negative, lane)
                return registered(m, term, name=f"term_{lane}")
        else:
            shifted, negative = self._shifted(m, (activation, activations), (weight, weights), lane)
        shifted = registered(m, shifted, name=f"shifted_{lane}_q1")
        if self.spec.stages == 1:
            return shifted
        negative = registered(m, negative, name=f"negative_{lane}_q1")
        term = Signal(range(*self._bounds()), name=f"term_{lane}", reset_less=True)
        m.d.sync += term.eq(Mux(negative, -shifted, shifted))
        return term

    def _shifted(self, m, power, other, lane):
        """The other side's value, shifted by a power, which is not yet negated; and the power's sign."""
        code, log = power
        value = value_of(m, *other, name=f"value_{lane}")
        magnitude, negative = _split(m, code, log, f"log_{lane}")
        low, high = other[1].min << log.magnitudes - 1, other[1].max << log.magnitudes - 1
        shifted = Signal(range(low, high + 1), name=f"shifted_{lane}")
        size = len(shifted)
        chosen = [  # one of these at most is not zero
            (value << step) & (magnitude == step + 1).replicate(size) for step in range(log.magnitudes)
        ]
        m.d.comb += shifted.eq(reduce(or_, chosen))
        return shifted, negative

    def _power(self, m, lane):
        """First the sum of the exponents, from one up, and the sign; then the bit there, or all from there up."""
        sides = [(self.weight(lane), self.spec.weights), (self.activation(lane), self.spec.activations)]
        (first, negative), (second, also) = (_split(m, *side, f"log{i}_{lane}") for i, side in enumerate(sides))
        count = sum(encoding.magnitudes for _, encoding in sides) - 1
        place = Signal(range(count + 1), name=f"place_{lane}", reset_less=True)
        m.d.sync += place.eq(Mux((first != 0) & (second != 0), first + second - 1, 0))
        powers = [0, *(1 << exponent for exponent in range(count))]
        powers += [0] * ((1 << len(place)) - len(powers))
        if any(encoding.signed for _, encoding in sides):
            sign = registered(m, negative ^ also, name=f"sign_{lane}")
            place, powers = Cat(place, sign), powers + [-power for power in powers]
        return registered(m, table(m, place, powers, name=f"power_{lane}"), name=f"term_{lane}")

    def _bounds(self):
        low, high = self.spec.term_range()
        return low, high + 1


def _split(m, code, encoding, name):
    """Magnitude index (0 for zero, else the exponent's place plus one) and sign of a code."""
    if not encoding.signed:
        return code, Const(0, 1)
    magnitude = Signal(len(code), name=f"{name}_magnitude")
    m.d.comb += magnitude.eq(Mux(code[-1], -code, code))
    return magnitude, code[-1]
