"""The cycle model of streamed weights, against a port and a sequencer that are stepped cycle by cycle."""

import numpy as np
import pytest

from rowloom.hw.mapping.timeline import Timeline


def timeline(**changed):
    given = {
        "cycles": (100, 40, 60), "sections": ((50, 0), None, (90, 0)), "interval": 1, "header_beats": 8,
        "input_words": 11, "record_words": 17, "load": 30, "release": 1,
    }  # fmt: skip
    return Timeline(**given | changed)


def stepped(timeline, images):
    """Waits of each layer in each image, from state machines that take a step a cycle.

    The port's: header, open, first, words. The sequencer's: a layer fetches its record, waits until it may start and
    then runs. Cycle 0 takes the load's last beat.
    """
    t, order = timeline, [each for each in timeline.sections if each is not None]
    state, left, lead, words = "opening", 0, 0, 0
    ahead = section = 0
    next_beat = t.interval
    done_now = ended = False
    loader_free = 3 + t.input_words
    waits, image, layer, clock, mode = [[]], 0, 0, 0, "image"
    start = wait = 0
    while image < images:
        clock += 1
        ahead += int(ended) - int(done_now)
        ended = done_now = False
        # the port
        if state == "opening":
            state, left = "header", t.header_beats
        elif state == "header" and clock >= next_beat and section < images * len(order):
            next_beat, left = clock + t.interval, left - 1
            if not left:
                state, (words, lead) = "open", order[section % len(order)]
        elif state == "open" and ahead <= lead:
            state = "first"
        elif state == "first":
            state = "words"
        elif state == "words" and clock >= next_beat:
            next_beat, words = clock + t.interval, words - 1
            if not words:
                ended, state, left, section = True, "header", t.header_beats, section + 1
        # the sequencer
        if mode == "image" and clock >= loader_free + t.load + 2:
            mode, start = "layer", clock
        elif mode == "layer" and clock >= start + t.record_words + 2:
            if t.sections[layer] is not None and not ahead:
                wait += 1
            else:
                mode = "run"
        if mode == "run" and clock == start + t.cycles[layer] + wait:
            waits[-1].append(wait)
            done_now = t.sections[layer] is not None
            wait, layer, start, mode = 0, layer + 1, clock, "layer"
            if layer == t.release:
                loader_free = clock
            if layer == len(t.cycles):
                waits.append([])
                image, layer, mode = image + 1, 0, "image"
    return [tuple(each) for each in waits[:-1]]


def test_a_section_that_comes_in_time_makes_nobody_wait():
    assert timeline(sections=((5, 2), None, (5, 2)), header_beats=1).stalls(5) == [(0, 0, 0)] * 5


def test_without_room_a_layer_waits_for_all_of_its_section():
    # from the end of layer 0: open, first, 90 beats, the memory; against layer 1, the record, its start
    assert timeline().stalls(4)[-1][2] == (1 + 2 + 90) - (40 + 17 + 2)


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_machines_that_are_stepped(seed):
    rng = np.random.default_rng(seed)
    layers = int(rng.integers(1, 6))
    streamed = rng.random(layers) < 0.7
    streamed[int(rng.integers(layers))] = True
    leads = iter(rng.integers(0, int(streamed.sum()), int(streamed.sum())).tolist())
    given = timeline(
        cycles=tuple(int(n) for n in rng.integers(30, 400, layers)),
        sections=tuple((int(rng.integers(1, 300)), next(leads)) if each else None for each in streamed),
        interval=int(rng.choice([1, 1, 2, 3, 8])),
        header_beats=int(rng.choice([1, 2, 4, 8])),
        input_words=int(rng.integers(2, 20)),
        record_words=int(rng.integers(2, 20)),
        load=int(rng.integers(1, 500)),
        release=int(rng.integers(1, layers + 1)),
    )
    assert given.stalls(6) == stepped(given, 6)
