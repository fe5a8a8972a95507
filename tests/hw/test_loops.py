import itertools

import pytest
from amaranth import Const, Module, Signal
from amaranth.sim import Simulator

from rowloom.hw.loops import Loop


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_ends_are_known_in_time_and_the_loop_starts_over(count):
    m = Module()
    restart, advance = Signal(), Signal()
    loop = Loop(m, "loop", Const(count - 1, 4))
    with m.If(advance):
        loop.advance()
    with m.If(restart):
        m.d.sync += loop.restart()
    seen = []

    async def bench(ctx):
        ctx.set(restart, 1)
        await ctx.tick()
        ctx.set(restart, 0)
        for step in range(3 * count):
            ctx.set(advance, 0)
            for _ in range(step % 3):
                await ctx.tick()
            seen.append((ctx.get(loop.last), ctx.get(loop.second_last)))
            ctx.set(advance, 1)
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    once = [(int(left == 0), int(left == 1)) for left in reversed(range(count))]
    assert seen == list(itertools.chain(once, once, once))
