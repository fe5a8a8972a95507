import numpy as np
import pytest

from rowloom.hw.contents import load_beats, memory_groups
from rowloom.hw.filler import Filler
from tests.hw.cycles import run
from tests.hw.test_contents import contents, machine


def fill(hw, beats, *, idle=lambda cycle: True, pauses=None, running=False):
    """Words by memory as they are written, the cycles in which beats were taken, and when ``running`` changes."""
    component = Filler(hardware=hw, running=running)
    groups = memory_groups(hw)
    written = {group.name: [{} for _ in range(group.members)] for group in groups}
    taken, changes = [], []

    async def bench(ctx):
        left, cycle, before, wait = list(beats), 0, int(running), 0
        while left or cycle < taken[-1] + 6:
            ctx.set(component.idle, int(idle(cycle)))
            wait = wait - 1 if wait else (pauses.integers(0, 4) if pauses is not None else 0)
            offer = bool(left) and not wait
            ctx.set(component.load.valid, int(offer))
            ctx.set(component.load.payload, left[0] if offer else 0)
            for g, group in enumerate(groups):
                enable = ctx.get(getattr(component, f"enable_{g}"))
                assert enable & (enable - 1) == 0
                for member in range(group.members):
                    if enable >> member & 1:
                        address = ctx.get(component.address)
                        assert address not in written[group.name][member]
                        written[group.name][member][address] = ctx.get(getattr(component, f"data_{g}"))
            if ctx.get(component.running) != before:
                before = ctx.get(component.running)
                changes.append((cycle, before))
            if offer and ctx.get(component.load.ready):
                left.pop(0)
                taken.append(cycle)
            await ctx.tick()
            cycle += 1

    run(component, bench, limit=20 * len(beats) + 1000)
    return written, taken, changes


@pytest.mark.parametrize("pauses", [False, True], ids=["", "pauses"])
@pytest.mark.parametrize("load_bits", [8, 16, 32, 64])
def test_writes_what_the_beats_hold(load_bits, pauses):
    hw = machine(load_bits=load_bits)
    by_name, images = contents(hw, seed=load_bits)
    written, taken, changes = fill(hw, load_beats(hw, images), pauses=np.random.default_rng(1) if pauses else None)
    assert written == {name: [dict(enumerate(words)) for words in members] for name, members in by_name.items()}
    assert [state for _, state in changes] == [1]
    assert changes[0][0] == taken[-1] + 2


def test_takes_a_beat_a_cycle_and_two_cycles_for_a_header():
    hw = machine(load_bits=16)
    _, images = contents(hw)
    beats = load_beats(hw, images)
    _, taken, _ = fill(hw, beats)
    sections = len(memory_groups(hw))
    assert taken[-1] + 1 == len(beats) + 2 * sections


def test_waits_until_the_accelerator_is_idle_and_stops_it():
    hw = machine()
    _, images = contents(hw)
    beats = load_beats(hw, images)
    _, taken, changes = fill(hw, beats, idle=lambda cycle: cycle >= 50, running=True)
    assert sum(cycle < 50 for cycle in taken) == 8  # a header
    assert changes[0] == (51, 0)
    assert changes[1][1] == 1
