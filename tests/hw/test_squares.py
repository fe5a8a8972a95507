import numpy as np
import pytest
from amaranth.lib import data

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.program import layer_fields
from rowloom.hw.retire import RetireNest
from rowloom.model.encodings import Ternary, Uniform
from tests.hw.cycles import run
from tests.hw.graphs import Graph
from tests.hw.machines import raw, records

ARRAYS = {
    "6x3x4": ArrayConfig(rows=6, cols=3, lanes=4),
    "2x1x2": ArrayConfig(rows=2, cols=1, lanes=2, group=1),
}


def network():
    """Squares of sides 2, 1 and 3 beside a plain layer; the first and the third are parts of a wider map."""
    g = Graph((4, 3, 2), Uniform(bits=2, signed=False), weights=Ternary(), seed=3)
    a = g.conv("input", 5, (1, 1))
    b = g.concat(g.squares(g.conv(a, 20, (1, 1)), 2), g.upsample(a, 2), g.squares(g.conv(a, 12, (1, 1)), 2))
    c = g.squares(g.conv(b, 3, (1, 1)), 1)
    g.conv(g.upsample(c, 3), 2, (1, 1), raw=True)
    return g.network()


@pytest.mark.parametrize("array", ARRAYS)
def test_every_word_of_a_square_goes_to_its_place(array):
    """The retire nest fills the whole of each map, word by word, whatever the distances of its emissions."""
    design = compile_network(network(), ARRAYS[array])
    hw = design.hardware
    fields = layer_fields(hw)
    retire = RetireNest(hardware=hw, program=data.StructLayout(fields))
    rng = np.random.default_rng(0)
    sides = []

    async def bench(ctx):
        for plan, record in zip(design.layers, records(design)[1], strict=True):
            fold, pool = plan.fold, plan.unit == "pool"
            ctx.set(retire.program, raw(fields, record))
            ctx.set(retire.start, 1)
            await ctx.tick()
            ctx.set(retire.start, 0)
            count = fold.strips * fold.pixels * fold.copies * fold.blocks * fold.groups
            due = set(np.cumsum(rng.choice([1, 1, 1, 2, 5], count)).tolist())
            written = []
            for t in range(max(due) + hw.code_cycles + 8):
                ctx.set(retire.emit, int(t in due))
                if ctx.get(retire.word_enable):
                    bank = ctx.get(retire.word_bank)
                    addresses = ctx.get(retire.word_address), ctx.get(retire.word_address_next)
                    for q in range(hw.cols):
                        if ctx.get(getattr(retire, f"column_{q}")):
                            place = (bank + q * (record["o_side"] + 1)) % hw.banks
                            written.append((place, addresses[place < bank]))
                await ctx.tick()
            if plan.to_results:
                continue
            layout = design.layout(plan.tensor)
            height, width, _ = layout.shape
            rows = [(y % hw.banks, layout.base + y // hw.banks * layout.row_words) for y in range(height)]
            words = [(x, word) for x in range(width) for word in range(layout.words)]
            assert sorted(written) == sorted(
                (bank, row + x * layout.pixel_words + word) for bank, row in rows for x, word in words
            ), plan.name
            sides.append(record["o_side"] + 1)
            assert pool or fold.copies == 1

    run(retire, bench, limit=60_000)
    assert sides == [1, 2, 2, 2, 1, 3]
