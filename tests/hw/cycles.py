"""Runs components in Amaranth's simulator, cycle by cycle."""

from amaranth.sim import Simulator


def run(component, *benches, background=(), limit=20_000):
    """Run testbenches to their end; AssertionError if that is not within ``limit`` cycles."""
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    for bench in background:
        simulator.add_testbench(bench, background=True)
    steps = 0
    while simulator.advance():
        steps += 1
        assert steps < 8 * limit, f"no end within {limit} cycles"


def trace(component, inputs, outputs, *, extra=0):
    """Outputs of every cycle, as a list of dicts.

    ``inputs`` gives a dict for each cycle; a port that it does not name is zero. ``extra`` cycles follow
    with all of them zero.
    """
    names = sorted({name for given in inputs for name in given})
    seen = []

    async def bench(ctx):
        for given in [*inputs, *[{}] * extra]:
            for name in names:
                ctx.set(getattr(component, name), given.get(name, 0))
            seen.append({name: ctx.get(getattr(component, name)) for name in outputs})
            await ctx.tick()

    run(component, bench, limit=len(inputs) + extra + 10)
    return seen
