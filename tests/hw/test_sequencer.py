import pytest
from amaranth.lib import data

from rowloom.hw.program import input_fields, layer_fields, pack, record_words
from rowloom.hw.sequencer import Sequencer
from tests.hw.cycles import run
from tests.hw.machines import hardware

HW = hardware(layers=3)
INPUT, LAYER = input_fields(HW), layer_fields(HW)


def sequencer(layers):
    """A sequencer with a program of these layers' fields."""
    words = pack(INPUT, dict.fromkeys(INPUT, 0) | {"height": 5, "a_row": 7})
    for fields in layers:
        words += pack(LAYER, dict.fromkeys(LAYER, 0) | fields)
    return Sequencer(
        hardware=HW, input_program=data.StructLayout(INPUT), layer_program=data.StructLayout(LAYER), init=words
    )


LAYERS = [{"words": 3, "release_input": 1}, {"taps": 2}, {"taps": 9, "to_results": 1, "last": 1}]


def play(layers, *, images, duration=5, busy=0, loads=lambda image: 0):
    """Play the rest of the accelerator; returns events (cycle, what, ...).

    A layer takes ``duration`` cycles from its start, results are busy for ``busy`` cycles after a final
    layer, and image i comes ``loads(i)`` cycles after the memory is free.
    """
    component = sequencer(layers)
    events = []

    async def bench(ctx):
        start = done_at = loaded_at = None
        loaded, finished, busy_until = 0, 0, -1
        free_since, t = None, 0
        while finished < images:
            if ctx.get(component.input_start):
                assert ctx.get(component.input_program.height) == 5
                assert ctx.get(component.input_program.a_row) == 7
                events.append((t, "input"))
                start = t
            if start is not None and free_since is None and ctx.get(component.free) and loaded < images:
                free_since = t
                loaded_at = t + 1 + loads(loaded)
            strobe = loaded_at == t
            ctx.set(component.loaded, int(strobe))
            if strobe:
                events.append((t, "loaded"))
                loaded, loaded_at = loaded + 1, None
            if free_since is not None and not ctx.get(component.free):
                free_since = None
            ctx.set(component.results_busy, int(t <= busy_until))
            ctx.set(component.done, int(done_at == t))
            if ctx.get(component.start):
                at = (ctx.get(component.layer_program.words), ctx.get(component.layer_program.taps))
                events.append((t, "start", at))
                done_at = t + duration
            if done_at == t:
                assert ctx.get(component.layer_done)
                layer = ctx.get(component.layer)
                events.append((t, "done", layer, ctx.get(component.layer_cycles)))
                if layer == len(layers) - 1:
                    finished += 1
                    busy_until = t + busy
            else:
                assert not ctx.get(component.layer_done)
            await ctx.tick()
            t += 1

    run(component, bench, limit=2000)
    return events


def of(events, what):
    return [event for event in events if event[1] == what]


def test_layers_run_in_order_for_every_image():
    events = play(LAYERS, images=3)
    assert [event[2] for event in of(events, "start")] == [(3, 0), (0, 2), (0, 9)] * 3
    assert [event[2] for event in of(events, "done")] == [0, 1, 2] * 3
    assert len(of(events, "input")) == 1


def test_a_layers_cycles_are_its_record_two_and_its_run():
    cycles = record_words(LAYER) + 2 + 5
    events = of(play(LAYERS, images=2), "done")
    assert [event[3] for event in events] == [cycles] * 6
    times = [event[0] for event in events]
    assert times[1] - times[0] == times[2] - times[1] == cycles
    assert times[3] - times[2] == cycles + 1  # the hand-over to the next image


def test_results_that_wait_hold_the_final_layer_back_and_are_not_counted():
    slow = play(LAYERS, images=3, busy=300)
    assert [event[3] for event in of(slow, "done")] == [event[3] for event in of(play(LAYERS, images=3), "done")]
    final = [event[0] for event in of(slow, "start") if event[2] == (0, 9)]
    done = [event[0] for event in of(slow, "done") if event[2] == 2]
    assert final[1] == done[0] + 301
    assert final[2] == done[1] + 301


@pytest.mark.parametrize("wait", [0, 30, 400])
def test_an_image_waits_until_it_is_loaded(wait):
    events = play(LAYERS, images=3, loads=lambda image: wait)
    loaded = [event[0] for event in of(events, "loaded")]
    starts = [event[0] for event in of(events, "start") if event[2] == (3, 0)]
    assert all(start > time for start, time in zip(starts, loaded, strict=True))
    # the next image is not loaded before the layer that reads the input is done
    first = [event[0] for event in of(events, "done") if event[2] == 0]
    assert all(later > done + wait for later, done in zip(loaded[1:], first, strict=False))
