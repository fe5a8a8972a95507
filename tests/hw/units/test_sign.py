import itertools

import numpy as np
import pytest

from rowloom.hw.units.sign import SignUnit
from rowloom.hw.units.spec import SignSpec
from tests.hw.cycles import trace


def pack(codes, bits):
    return sum(int(code) << (i * bits) for i, code in enumerate(codes))


def check(lanes, bits, stimuli):
    """Stimuli are (activation codes, weight codes)."""
    unit = SignUnit(lanes=lanes, activation_bits=bits)
    inputs = [{"activations": pack(a, bits), "weights": pack(w, 1), "live": 1} for a, w in stimuli]
    got = [cycle["sum"] for cycle in trace(unit, inputs, ["sum"], extra=unit.latency)[unit.latency :]]
    a, w = (np.array([each[i] for each in stimuli], np.int64).reshape(-1, lanes) for i in (0, 1))
    want = (a * (2 * w - 1)).sum(1) + SignSpec.offset(w, 0, half=False)
    assert got == want.tolist()


@pytest.mark.parametrize(("lanes", "bits"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (5, 1)])
def test_every_word_of_small_units(lanes, bits):
    activations = itertools.product(range(1 << bits), repeat=lanes)
    stimuli = list(itertools.product(activations, list(itertools.product((0, 1), repeat=lanes))))
    rng = np.random.default_rng(lanes)
    check(lanes, bits, [stimuli[i] for i in rng.permutation(len(stimuli))])


@pytest.mark.parametrize(("lanes", "bits"), [(4, 8), (9, 8), (12, 8), (27, 8), (5, 3)])
def test_random_words_after_extremes(lanes, bits):
    rng = np.random.default_rng(lanes)
    top = (1 << bits) - 1
    stimuli = [([a] * lanes, [w] * lanes) for a in (0, top) for w in (0, 1)]
    stimuli += [([top] * lanes, [i % 2 for i in range(lanes)]), ([top] * lanes, [1 - i % 2 for i in range(lanes)])]
    stimuli += [(rng.integers(0, top + 1, lanes).tolist(), rng.integers(0, 2, lanes).tolist()) for _ in range(200)]
    check(lanes, bits, stimuli)


def test_a_padded_tap_adds_only_what_is_owed():
    """Its activations are zero, so that the offset is the same with it and without."""
    assert np.array_equal(
        SignSpec.dead_offset(np.eye(4, dtype=int), 0, half=False), SignSpec.offset(np.eye(4, dtype=int), 0, half=False)
    )
