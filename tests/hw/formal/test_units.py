"""Every unit equals its one-line specification, for all inputs."""

import itertools

import numpy as np
import pytest
from amaranth import Const, Module

from rowloom.hw.units import make_unit
from rowloom.hw.units.adder import AdderUnit
from rowloom.hw.units.base import Unit
from rowloom.hw.units.ternary import TernaryUnit
from rowloom.hw.units.xnor import XnorUnit
from tests.hw.formal.cases import CASES
from tests.hw.formal.properties import WORD, SumProperty
from tests.hw.formal.prover import counterexample
from tests.hw.units.words import codes_of, pack

pytestmark = pytest.mark.formal

QUICK = [case for case in CASES if not case.slow]


@pytest.mark.parametrize("case", [pytest.param(c, marks=[pytest.mark.slow] if c.slow else []) for c in CASES], ids=str)
def test_sums_every_word(case):
    """Products of decoded codes plus the case's offset, whatever the word and whatever went before."""
    gates = SumProperty(case)
    found = counterexample(gates, after=gates.unit.latency)
    assert found is None, found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_offset_is_what_the_spec_states(case):
    """For every word of weights, live and dead: so the proof is about the offset that the schedule subtracts."""
    words = np.array(list(itertools.product(codes_of(case.weights), repeat=case.lanes)))
    offset = case.offset([case.weights.decode(words[:, lane]) for lane in range(case.lanes)])
    present = np.int64(0)
    np.testing.assert_array_equal(case.spec.offset(words, present), offset)
    dead = offset if case.dead is None else case.dead
    np.testing.assert_array_equal(case.spec.dead_offset(words, present), dead)


class OneWordWrong(Unit):
    """A unit that mistakes one activation, and only beside one word of weights."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = make_unit(self.spec, lanes=self.lanes)
        activations, weights = (
            pack([encoding.code_max] * self.lanes, encoding.bits)
            for encoding in (self.spec.activations, self.spec.weights)
        )
        hit = (self.activations == activations) & (self.weights == weights)
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in WORD]
        m.d.comb += [unit.activations.eq(self.activations ^ hit), self.sum.eq(unit.sum)]
        return m


class Ungated(TernaryUnit):
    """Passes the activation under a weight of zero."""

    def term(self, m, lane):
        return self.signed_term(m, self.activation(lane), self.weight(lane)[1], lane)


class CarryLost(AdderUnit):
    """Complements without the one that makes it a negative."""

    def _lane(self, m, lane):
        return super()._lane(m, lane)[0], Const(0, 1)


class OddForgotten(XnorUnit):
    """Takes no word for odd."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = XnorUnit(lanes=self.lanes, spec=self.spec)
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in ("activations", "weights", "live")]
        m.d.comb += self.sum.eq(unit.sum)
        return m


class DeadTapsCounted(Unit):
    """Sums a padded tap as if it were there."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = make_unit(self.spec, lanes=self.lanes)
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in WORD]
        m.d.comb += [unit.live.eq(1), self.sum.eq(unit.sum)]
        return m


class TooLate(Unit):
    """A cycle later than it says."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = make_unit(self.spec, lanes=self.lanes)
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in WORD]
        m.d.sync += self.sum.eq(unit.sum)
        return m


@pytest.mark.parametrize(
    ("case", "broken"),
    [
        *((case, OneWordWrong) for case in QUICK[::2]),
        *(pytest.param(case, OneWordWrong, marks=pytest.mark.slow) for case in QUICK[1::2]),
        *((case, Ungated) for case in QUICK if case.spec.NAME == "ternary"),
        *((case, CarryLost) for case in QUICK if case.spec.NAME == "adder" and not case.spec.tabled and case.lanes > 1),
        *((case, OddForgotten) for case in QUICK if case.half),
        *((case, DeadTapsCounted) for case in QUICK if case.dead is not None),
        *((case, TooLate) for case in QUICK[::5]),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else str(each),
)
def test_a_broken_unit_is_refuted(case, broken):
    """The property can fail, so that its proof says something."""
    gates = SumProperty(case, unit=broken(lanes=case.lanes, spec=case.spec))
    assert counterexample(gates, after=gates.unit.latency) is not None
