"""Powers of two: shift instead of multiplying."""

from amaranth import Mux, Signal

from rowloom.hw.units.terms import TermUnit
from rowloom.hw.units.value import value_of
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
        low, high = self.spec.term_range()
        sides = [(self.weight(lane), self.spec.weights), (self.activation(lane), self.spec.activations)]
        if not isinstance(self.spec.weights, PowerOfTwo):
            sides.reverse()
        (code, log), (other, encoding) = sides
        magnitude, negative = _split(m, code, log, f"log_{lane}")
        term = Signal(range(low, high + 1), name=f"term_{lane}_value")
        shifted = Signal(range(low, high + 1), name=f"shifted_{lane}")
        if isinstance(encoding, PowerOfTwo):
            other_magnitude, other_negative = _split(m, other, encoding, f"other_{lane}")
            exponent = magnitude + other_magnitude - 2
            with m.If((magnitude != 0) & (other_magnitude != 0)):
                m.d.comb += shifted.eq(1 << exponent[: max(1, (log.magnitudes + encoding.magnitudes - 2).bit_length())])
            m.d.comb += term.eq(Mux(negative ^ other_negative, -shifted, shifted))
            return term
        value = value_of(m, other, encoding, name=f"value_{lane}")
        with m.Switch(magnitude):
            for step in range(log.magnitudes):
                with m.Case(step + 1):
                    m.d.comb += shifted.eq(value << step)
        m.d.comb += term.eq(Mux(negative, -shifted, shifted))
        return term


def _split(m, code, encoding, name):
    """Magnitude index (0 for zero, else the exponent's place plus one) and sign of a code."""
    if not encoding.signed:
        return code, 0
    magnitude = Signal(len(code), name=f"{name}_magnitude")
    m.d.comb += magnitude.eq(Mux(code[-1], -code, code))
    return magnitude, code[-1]
