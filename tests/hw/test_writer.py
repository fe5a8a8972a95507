import numpy as np
import pytest

from rowloom.hw.writer import BankWriter
from tests.hw.cycles import run
from tests.hw.machines import hardware


@pytest.mark.parametrize(
    ("cols", "banks", "write_step", "side"),
    [(3, 4, 1, 1), (2, 4, 2, 1), (1, 1, 1, 1), (5, 8, 1, 1), (3, 8, 1, 2), (2, 8, 1, 3), (1, 2, 1, 5)],
)
def test_columns_go_first_and_nothing_is_lost(cols, banks, write_step, side):
    """Random words of columns and loader: every one reaches its bank once, the loader's when it is taken."""
    rng = np.random.default_rng(cols)
    hw = hardware(cols=cols, banks=banks, write_step=write_step, squares=side > 1)
    writer = BankWriter(hardware=hw)
    want, got = [], []
    counts = {"taken": 0, "waited": 0}

    async def bench(ctx):
        load = None
        if side > 1:
            ctx.set(writer.side, side - 1)
            await ctx.tick()
        for t in range(400):
            first = (
                int(rng.integers(0, banks // write_step)) * write_step if write_step > 1 else int(rng.integers(banks))
            )
            address, after = int(rng.integers(64)), int(rng.integers(64))
            enable = int(rng.random() < 0.6)
            ctx.set(writer.enable, enable)
            ctx.set(writer.bank, first)
            ctx.set(writer.address, address)
            ctx.set(writer.address_next, after)
            taken = set()
            for q in range(cols):
                used, word = int(rng.random() < 0.7), int(rng.integers(256))
                ctx.set(getattr(writer, f"column_{q}"), used)
                ctx.set(getattr(writer, f"word_{q}"), word)
                if enable and used:
                    bank = (first + q * side) % banks
                    taken.add(bank)
                    want.append((t + 1, bank, after if bank < first else address, word))
            if load is None and rng.random() < 0.8:
                load = int(rng.integers(banks)), int(rng.integers(64)), int(rng.integers(256))
            ctx.set(writer.load_enable, int(load is not None))
            if load:
                ctx.set(writer.load_bank, load[0])
                ctx.set(writer.load_address, load[1])
                ctx.set(writer.load_data, load[2])
            ready = ctx.get(writer.load_ready)
            if load:
                assert ready == (load[0] not in taken)
                counts["taken" if ready else "waited"] += 1
                if ready:
                    want.append((t + 1, *load))
                    load = None
            await ctx.tick()
            for b in range(banks):
                if ctx.get(getattr(writer, f"write_enable_{b}")):
                    got.append((
                        t + 1, b, ctx.get(getattr(writer, f"write_address_{b}")),
                        ctx.get(getattr(writer, f"write_data_{b}")),
                    ))  # fmt: skip

    run(writer, bench)
    assert sorted(got) == sorted(want)
    assert min(counts.values()) > 20
