import numpy as np
import pytest
from amaranth.lib import data

from rowloom.hw import compile as compile_network
from rowloom.hw.program import layer_fields
from rowloom.hw.retire import RetireNest
from tests.hw.cycles import run
from tests.hw.machines import raw, records
from tests.hw.networks import make_network
from tests.hw.test_issue import ARRAYS, CASES


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("case", CASES)
def test_every_code_and_word_goes_to_its_place(case, array):
    """Emissions at random distances, against loops over the shape of the layer's output."""
    specs, shape = CASES[case]
    design = compile_network(make_network(specs, shape=shape), ARRAYS[array])
    hw = design.hardware
    fields = layer_fields(hw)
    retire = RetireNest(hardware=hw, program=data.StructLayout(fields))
    rng = np.random.default_rng(0)
    thresholds = 0

    async def bench(ctx):
        nonlocal thresholds
        for i, record in enumerate(records(design)[1]):
            plan = design.layers[i]
            fold, pool = plan.fold, plan.unit == "pool"
            height, width, channels = design.network.tensor(design.network.layers[i].output).shape
            target = design.layouts.get(design.network.layers[i].output)
            emissions = fold.blocks * fold.groups
            used = fold.blocks if pool else -(-channels // hw.drains)
            slots = 1 if pool else hw.lanes // hw.drains
            count = fold.strips * width * emissions
            times = np.cumsum(rng.choice([1, 1, 1, 2, 5], count)).tolist()
            want_codes, want_words = {}, {}
            for n, at in enumerate(times):
                rest, emission = divmod(n, emissions)
                strip, pixel = divmod(rest, width)
                if emission >= used:
                    continue
                if not pool:
                    want_codes[at + hw.code_cycles] = emission % slots, int(emission % slots == 0)
                if emission % slots == slots - 1 or emission == used - 1:
                    want_words[at + (4 if pool else hw.code_cycles + 1)] = strip, pixel, emission // slots

            ctx.set(retire.program, raw(fields, record))
            ctx.set(retire.start, 1)
            await ctx.tick()
            ctx.set(retire.start, 0)
            codes, words, done = {}, {}, []
            due = set(times)
            for t in range(times[-1] + hw.code_cycles + 5):
                ctx.set(retire.emit, int(t in due))
                if t in due and not pool:
                    emission = times.index(t) % emissions
                    assert ctx.get(retire.threshold_address) == thresholds + emission
                if ctx.get(retire.code_enable):
                    codes[t] = ctx.get(retire.code_slot), ctx.get(retire.code_first)
                if ctx.get(retire.done):
                    done.append(t)
                if ctx.get(retire.word_enable):
                    words[t] = want_words.get(t)
                    strip, pixel, word = want_words[t]
                    bank = ctx.get(retire.word_bank)
                    for q in range(hw.cols):
                        e = strip * fold.strip + q
                        assert ctx.get(getattr(retire, f"column_{q}")) == (q < fold.strip and e < height)
                        if target is None or q >= fold.strip or e >= height:
                            continue
                        row = target.base + e // hw.banks * target.row_words
                        assert (bank + q) % hw.banks == e % hw.banks
                        addresses = (ctx.get(retire.word_address), ctx.get(retire.word_address_next))
                        assert (
                            addresses[bank + q >= hw.banks]
                            == row + pixel * target.pixel_words + word * target.word_planes
                        )
                await ctx.tick()
            assert codes == want_codes
            assert words == want_words
            assert done == [times[-1] + (6 if pool else hw.code_cycles + 3)]
            thresholds += 0 if pool else emissions

    run(retire, bench, limit=60_000)
