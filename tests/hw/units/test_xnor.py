# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from rowloom.hw.units.spec import XnorSpec
from rowloom.hw.units.xnor import XnorUnit
from tests.hw.cycles import trace


def pack(lanes):
    return int(sum(int(bit) << i for i, bit in enumerate(lanes)))


def check(lanes, half, stimuli):
    """Stimuli are (activations, weights, live, odd), words as integers."""
    unit = XnorUnit(lanes=lanes, half=half)
    inputs = [dict(zip(("activations", "weights", "live", "odd"), word, strict=True)) for word in stimuli]
    seen = trace(unit, inputs, ["sum"], extra=unit.latency)
    got = [cycle["sum"] for cycle in seen[unit.latency :]]
    want = []
    for activations, weights, live, odd in stimuli:
        count = lanes - (activations ^ weights).bit_count() if live else lanes // 2
        rest = (odd if live else lanes % 2) if half else 0
        want.append(2 * count + rest if half else count)
    assert got == want


@pytest.mark.parametrize("half", [False, True], ids=["", "half"])
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_every_word_of_small_units(lanes, half):
    words = range(1 << lanes)
    stimuli = [(a, w, 1, odd) for a in words for w in words for odd in (0, 1)]
    stimuli += [(0, w, 0, odd) for w in words for odd in (0, 1)]
    rng = np.random.default_rng(lanes)
    check(lanes, half, [stimuli[i] for i in rng.permutation(len(stimuli))])


@pytest.mark.parametrize("half", [False, True], ids=["", "half"])
@pytest.mark.parametrize("lanes", [7, 8, 9, 32, 33, 64])
def test_random_words_after_extremes(lanes, half):
    rng = np.random.default_rng(lanes)
    full = (1 << lanes) - 1
    stimuli = [(a, w, live, odd) for a in (0, full) for w in (0, full) for live in (0, 1) for odd in (0, 1)]
    for _ in range(300):
        live = int(rng.random() < 0.8)
        a, w = (pack(rng.integers(0, 2, lanes)) for _ in range(2))
        stimuli.append((a if live else 0, w, live, int(rng.integers(2))))
    check(lanes, half, stimuli)


@pytest.mark.parametrize(("lanes", "latency"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (16, 3), (32, 4), (64, 5)])
def test_latency_is_the_stated_one(lanes, latency):
    assert XnorUnit(lanes=lanes).latency == XnorSpec.latency(lanes) == latency


@pytest.mark.parametrize("name", ["lanes", "activation_bits", "weight_bits"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_parameters_are_checked(name, value):
    given = {"lanes": 4} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name} must be a positive integer, not {value}$"):
        XnorUnit(**given)
