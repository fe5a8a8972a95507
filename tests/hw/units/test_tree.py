import itertools

import pytest
from amaranth import Module, Signal, signed
from amaranth.sim import Simulator

from rowloom.hw.units.tree import tree_level


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_level_adds_neighbours_and_passes_an_odd_one_on(count):
    m = Module()
    terms = [Signal(signed(3), name=f"t{i}") for i in range(count)]
    sums = tree_level(m, [(term, -4, 3) for term in terms], name="s")
    assert [bounds[1:] for bounds in sums] == [(-8, 6)] * (count // 2) + [(-4, 3)] * (count % 2)
    assert [len(value) for value, *_ in sums] == [4] * (count // 2) + [3] * (count % 2)

    async def bench(ctx):
        for values in itertools.islice(itertools.product((-4, 3, 0, -1), repeat=count), 200):
            for term, value in zip(terms, values, strict=True):
                ctx.set(term, value)
            await ctx.tick()
            assert [ctx.get(value) for value, *_ in sums] == [sum(values[i : i + 2]) for i in range(0, count, 2)]

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
