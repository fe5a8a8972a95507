"""Counters in ECP5's carry chains equal their specification, for all inputs, as Yosys' model of the cell has it."""

import pytest
from amaranth import Module
from amaranth.hdl import Assert
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rowloom.boards.carry import CarryPlatform
from rowloom.hw.units.triples import Triples
from tests.hw.formal.cases import BIT, Case, signed, unsigned
from tests.hw.formal.properties import SumProperty
from tests.hw.formal.prover import counterexample

pytestmark = pytest.mark.formal

CELLS = "+/lattice/cells_sim_ecp5.v"

CASES = (
    *(Case(weights=BIT, activations=BIT, lanes=n, offset=lambda w: len(w), dead=n) for n in (2, 4, 6, 8, 16, 22)),
    Case(weights=BIT, activations=BIT, lanes=5, offset=lambda w: 5, dead=5, half=True),
    Case(weights=signed(2), activations=unsigned(2), lanes=4, prefer=("bitplane",)),
)


class CountProperty(wiring.Component):
    """Each count is the number of three lanes whose bits differ, or are both set."""

    def __init__(self, *, groups, xor):
        self.triples = Triples(groups=groups, xor=xor)
        super().__init__({"first": In(3 * groups), "second": In(3 * groups)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.triples = triples = self.triples
        m.d.comb += [triples.first.eq(self.first), triples.second.eq(self.second)]
        for group in range(triples.groups):
            pairs = [(self.first[lane], self.second[lane]) for lane in range(3 * group, 3 * group + 3)]
            want = sum(a != b if triples.xor else a & b for a, b in pairs)
            m.d.comb += Assert(triples.counts.word_select(group, 2) == want)
        return m


class Crossed(CarryPlatform):
    """Takes a comparison for a conjunction."""

    def get_triples(self, triples):
        triples.xor = not triples.xor
        return super().get_triples(triples)


def prove(gates, platform, after=0):
    return counterexample(gates, after=after, platform=platform, cells=CELLS)


@pytest.mark.parametrize("xor", [True, False])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_chains_count(groups, xor):
    found = prove(CountProperty(groups=groups, xor=xor), CarryPlatform())
    assert found is None, found


@pytest.mark.parametrize("xor", [True, False])
def test_gates_for_any_device_count(xor):
    found = prove(CountProperty(groups=2, xor=xor), None)
    assert found is None, found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_units_on_carry_chains_sum(case):
    """The whole unit, in the same cycles as without chains."""
    gates = SumProperty(case)
    found = prove(gates, CarryPlatform(), after=gates.unit.latency)
    assert found is None, found


def test_a_broken_chain_is_refuted():
    assert prove(CountProperty(groups=2, xor=True), Crossed()) is not None
