from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from rowloom.hw.mapping.lines import fit_lines, lines_of
from rowloom.hw.mapping.mends import MOST_MENDS, loose_thresholds, mends_of
from rowloom.hw.mapping.rising import Rising, rising_of
from rowloom.model import zoo
from rowloom.model.encodings import Uniform
from tests.hw.networks import Conv, make_network

FRACTION = 20


def moved(count, steps=(3, 30), seed=1, bits=8):
    """Lines, ``count`` thresholds of each filter moved up or down by one."""
    rng = np.random.default_rng(seed)
    place = np.arange(1, 1 << bits)
    step, start = rng.integers(steps[0] << FRACTION, steps[1] << FRACTION, (2, 12, 1))
    lines = -(-(place * step + start) >> FRACTION)
    for values in lines:
        values[rng.permutation(values.size)[:count]] += rng.choice([-1, 1], count)
        values.sort()
    return Rising(values=lines, low=lines[:, 0] - 5, high=lines[:, -1] + 5, flip=np.zeros(12, np.int64))


def counts(rising, step, start, mends, levels):
    """Counts of every sum that filters can have by their lines and mends, and by their thresholds."""
    for m in range(len(rising.values)):
        sums = np.arange(rising.low[m], rising.high[m] + 1)
        led = sums.copy()
        for place, nudge in zip(mends[0][m], mends[1][m], strict=True):
            led[(sums == place) & (nudge != 0)] += nudge
        found = ((led << FRACTION) - start[m]) // step[m]
        yield found.clip(0, (1 << levels) - 1), np.searchsorted(rising.values[m], sums, side="right")


@pytest.mark.parametrize("count", range(MOST_MENDS + 1))
def test_every_sum_has_its_count(count):
    rising = moved(count)
    loose = loose_thresholds(rising, 8, FRACTION)
    assert loose.sum(axis=1).max() == count
    lines, room = fit_lines(rising, 8, FRACTION, rising.values[:, 0], loose=loose)
    assert (room >= 0).all()
    mends = mends_of(rising, lines.step, lines.starts[:, 0], 8, FRACTION)
    assert ((mends[1] != 0).sum(axis=1) <= loose.sum(axis=1)).all()
    for found, wanted in counts(rising, lines.step, lines.starts[:, 0], mends, 8):
        assert np.array_equal(found, wanted)


def test_no_fewer_thresholds_would_do():
    """Of codes of 4 bits: every set of one threshold less was tried."""
    shown = set()
    for seed in range(6):
        rising = moved(3, seed=seed, bits=4)
        loose = loose_thresholds(rising, 4, FRACTION)
        for m, count in enumerate(loose.sum(axis=1)):
            shown.add(int(count))
            if count == 0:
                continue
            sets = list(combinations(range(15), int(count) - 1))
            tried = np.zeros((len(sets), 15), bool)
            for row, chosen in zip(tried, sets, strict=True):
                row[list(chosen)] = True
            one = Rising(
                values=rising.values[[m] * len(sets)],
                low=rising.low[[m] * len(sets)],
                high=rising.high[[m] * len(sets)],
                flip=rising.flip[[m] * len(sets)],
            )
            assert (fit_lines(one, 4, FRACTION, one.values[:, 0], loose=tried)[1] < 0).all()
    assert {1, 2, 3} <= shown


def test_more_than_the_most_are_refused():
    assert loose_thresholds(moved(3 * MOST_MENDS), 8, FRACTION) is None


def test_scattered_thresholds_are_refused():
    network = make_network([Conv(filters=5, codes=Uniform(bits=4, signed=False))], shape=(6, 6, 3), raw=False)
    (layer,) = network.layers
    rising = rising_of(layer, network.sum_bounds(layer), Uniform(bits=4, signed=False))
    assert loose_thresholds(rising, 4, FRACTION) is None


def test_thresholds_too_close_for_a_nudge_are_refused():
    """Sum 4 has to count two thresholds of the three that the line puts there: no neighbour has that count."""
    rising = Rising(values=np.array([[4, 4, 5]]), low=np.array([0]), high=np.array([9]), flip=np.zeros(1, np.int64))
    step, start = np.array([1 << FRACTION >> 2]), np.array([13 << FRACTION >> 2])
    assert mends_of(rising, step, start, 2, FRACTION) is None
    fine = replace(rising, values=np.array([[4, 4, 4]]))
    assert mends_of(fine, step, start, 2, FRACTION)[1].shape == (1, 0)


def test_a_network_trained_in_float32_is_mended():
    """Thresholds of some filters lie a sum beside their lines, where float32 has rounded."""
    lines = lines_of(zoo.load("lenet5"))
    assert (lines.levels, lines.bent, lines.mends) == (8, False, 2)
    mended = {name: int((each.nudges != 0).any(axis=1).sum()) for name, each in lines.layers.items()}
    assert mended["conv1"] == 0
    assert 0 < mended["fc3"] < 60
