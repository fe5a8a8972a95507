import numpy as np
import pytest

from rowloom.hw.splitter import PlaneSplitter
from tests.hw.cycles import run
from tests.hw.machines import hardware


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_planes_follow_each_other_and_then_the_layer_is_finished(planes):
    """Words as near to each other as the mapping allows, and further apart; every plane in its cycle."""
    rng = np.random.default_rng(planes)
    hw = hardware(word_bits=24, code_bits=(1, 3), pooled=((2, False),), output_planes=3)
    splitter = PlaneSplitter(hardware=hw)
    names = ["bank", "address", "address_next", *(f"{kind}_{q}" for kind in ("column", "word") for q in range(hw.cols))]
    want, got, done, finished = [], [], [], []

    async def bench(ctx):
        ctx.set(splitter.planes, planes)
        wait = 0
        for t in range(200):
            given = {name: int(rng.integers(1 << len(getattr(splitter, name)))) for name in names}
            enable = wait == 0 and bool(rng.random() < 0.7)
            last = enable and bool(rng.random() < 0.3)
            wait = planes - 1 if enable else max(0, wait - 1)
            if last:
                wait = planes + 2
            for name in names:
                ctx.set(getattr(splitter, name), given[name])
            ctx.set(splitter.enable, enable)
            ctx.set(splitter.done, int(bool(done) and done[-1] == t))
            if enable:
                for plane in range(planes):
                    split = {
                        name: (value + plane) % (1 << hw.address_bits) if name.startswith("address")
                        else value >> (plane * hw.lanes) if name.startswith("word") else value
                        for name, value in given.items()
                    }  # fmt: skip
                    want.append((t + plane, split))
                if last:
                    done.append(t + 2)
            if ctx.get(splitter.plane_enable):
                got.append((t, {name: ctx.get(getattr(splitter, f"plane_{name}")) for name in names}))
            if ctx.get(splitter.finished):
                finished.append(t)
            await ctx.tick()

    run(splitter, bench)
    assert got == [entry for entry in want if entry[0] < 200]
    assert finished == [t + planes - 1 for t in done if t + planes - 1 < 200]
    assert len(done) > 3
