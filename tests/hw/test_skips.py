import itertools

import pytest

from rowloom.hw.parameters import SkipParameters
from rowloom.hw.program import word_of
from rowloom.hw.skips import SkipTable
from tests.hw.cycles import run
from tests.hw.machines import hardware

PARAMETERS = SkipParameters(depth=7, a_bits=5, x_bits=3, y_bits=2)
ENTRIES = [
    (9, 1, 0, 1, 1), (3, 0, 1, 0, 0), (20, 7, 3, 1, 0), (0, 2, 2, 0, 0), (31, 5, 0, 0, 0), (8, 4, 1, 1, 1),
    (1, 1, 1, 1, 1),
]  # fmt: skip


def packed(entry):
    return word_of(PARAMETERS.fields, dict(zip(PARAMETERS.fields, entry, strict=True)))


@pytest.mark.parametrize(("origin", "turns"), [(1, [1, 2, 3, 4, 5] * 3), (6, [6] * 5), (0, [0] * 4)])
@pytest.mark.parametrize("idle", [0, 1, 2])
def test_walks_from_the_origin_round_to_the_end_with_pauses(origin, turns, idle):
    table = SkipTable(hardware=hardware(skips=PARAMETERS), init=[packed(entry) for entry in ENTRIES])

    def place(ctx):
        return tuple(ctx.get(getattr(table, name)) for name in ("a", "x", "y"))

    async def bench(ctx):
        ctx.set(table.origin, origin)
        ctx.set(table.start, 1)
        await ctx.tick()
        ctx.set(table.start, 0)
        assert not ctx.get(table.launch)
        await ctx.tick()
        assert ctx.get(table.launch)
        assert place(ctx) == ENTRIES[turns[0]][:3]
        await ctx.tick()
        assert not ctx.get(table.launch)
        for now, then in itertools.pairwise(turns):
            for _ in range(idle):  # nobody takes the word
                assert (ctx.get(table.last), place(ctx)) == (ENTRIES[now][3], ENTRIES[then][:3])
                await ctx.tick()
            assert (ctx.get(table.last), place(ctx)) == (ENTRIES[now][3], ENTRIES[then][:3])
            ctx.set(table.advance, 1)
            await ctx.tick()
            ctx.set(table.advance, 0)

    run(table, bench, limit=200)
