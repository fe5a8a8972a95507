"""The processing element equals its accumulation over integers, for all inputs of a few cycles from reset."""

import pytest
from amaranth import Module
from amaranth.lib import wiring

from rowloom.hw.pe import ProcessingElement
from rowloom.model.encodings import DoReFa, Ternary
from tests.hw.formal.cases import BIT, LOG, Case, adder, least, negative, negative_pairs, signed, unsigned
from tests.hw.formal.properties import AccumulateProperty
from tests.hw.formal.prover import counterexample
from tests.hw.machines import array_parameters

pytestmark = pytest.mark.formal

#: Words that may follow each other, in any division into accumulations, with idle cycles anywhere.
WORDS = 4

CASES = (
    Case(weights=BIT, activations=BIT, offset=lambda w: 4, dead=4),
    Case(weights=BIT, activations=BIT, lanes=3, offset=lambda w: 3, dead=3, half=True),
    Case(weights=BIT, activations=unsigned(3), lanes=2, offset=negative_pairs),
    Case(weights=Ternary(), activations=signed(3), lanes=2, offset=negative(0)),
    Case(weights=LOG, activations=unsigned(2), lanes=2, offset=negative(4)),
    Case(weights=DoReFa(2), activations=unsigned(2), lanes=2, offset=least(3)),
    Case(weights=signed(3), activations=unsigned(3), lanes=2, slow=True),
    adder(signed(2), unsigned(2), lanes=2, offset=lambda w: 10, dead=10),
    adder(signed(3), unsigned(3), lanes=2, offset=lambda w: 32, dead=32),
)


def prove(case, element=ProcessingElement, planes=False):
    """Find what breaks the element within a few cycles; None if nothing does."""
    parameters = array_parameters(
        unit=case.spec.NAME, weights=case.weights, activations=case.activations, half=case.half, sum_bits=10,
        planes=planes,
    )  # fmt: skip
    gates = AccumulateProperty(case, parameters=parameters, element=element(parameters=parameters, products=case.lanes))
    return counterexample(gates, after=0, steps=gates.element.unit.latency + WORDS + 1, from_reset=True)


@pytest.mark.parametrize("case", CASES[:2], ids=str)
def test_accumulates_any_words_of_planes(case):
    assert prove(case, planes=True) is None


@pytest.mark.parametrize("case", [pytest.param(c, marks=[pytest.mark.slow] if c.slow else []) for c in CASES], ids=str)
def test_accumulates_any_words(case):
    """Every sum handed out in the first cycles, for any words, pauses, captures and shifts."""
    found = prove(case)
    assert found is None, found


class Kept(wiring.Component):
    """An element that does not capture while it shifts."""

    def __init__(self, **given):
        self.element = ProcessingElement(**given)
        self.unit = self.element.unit
        super().__init__(self.element.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.element = element = self.element
        for name in ("activations", "weights", "live", "odd", "accumulate", "shift", "next_sum"):
            m.d.comb += getattr(element, name).eq(getattr(self, name))
        m.d.comb += [element.capture.eq(self.capture & ~self.shift), self.sum.eq(element.sum)]
        return m


def test_a_broken_element_is_refuted():
    """The property can fail, so that its proof says something."""
    assert prove(CASES[0], Kept) is not None
