import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.fold import array_folds
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.thresholds import sum_span, threshold_tables, threshold_words
from rowloom.hw.mapping.weights import row_weights
from rowloom.model.bounds import channel_bounds
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from tests.hw.networks import Conv, Dense, make_network

CONFIG = ArrayConfig(rows=6, cols=2, lanes=4, drains=2)


def prepared(spec, encoding, raw=False):
    """The step of a network of one layer, folded and with its weights laid out."""
    network = make_network([spec], shape=(4, 4, 3), encoding=encoding, raw=raw, seed=3)
    (step,), (array,), _, _ = steps_of(network, CONFIG, banks=4)
    step.fold = next(
        array_folds(step.window, step.layout, CONFIG, chain=array.rows // CONFIG.drains, stacked=array.stacked, banks=4)
    )
    step.weights = row_weights(step.layer, step.layout, step.window, step.fold, array, CONFIG)
    return network, step


CASES = [
    (Binary(), Binary(), Binary()),
    (Binary(), Uniform(bits=3, signed=False), Uniform(bits=2, signed=False)),
    (Ternary(), Uniform(bits=4, signed=True), Ternary()),
    (Quinary(), Binary(), Uniform(bits=3, signed=True)),
    (PowerOfTwo(bits=4, e_min=1, e_max=4), Uniform(bits=2, signed=False), PowerOfTwo(bits=4, e_min=0, e_max=2)),
    (DoReFa(3), Uniform(bits=3, signed=False), DoReFa(4)),
    (Codebook((-3, 0, 2)), Binary(), Codebook((-5, -1, 0, 2, 11))),
    (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False), Uniform(bits=8, signed=False, zero_point=7)),
    (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False), Uniform(bits=1, signed=True)),
]


@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize(("weights", "activations", "codes"), CASES, ids=str)
def test_every_sum_of_the_units_has_the_code_of_the_layer(weights, activations, codes, bias, more):
    """Each filter at each sum that its units may give, by counting over all thresholds."""
    _, step = prepared(Conv(filters=11, weights=weights, codes=codes, bias=bias), activations)
    levels = step.levels + more
    table, falls = threshold_tables(step, CONFIG, levels)
    assert table.shape == (step.fold.blocks * step.fold.groups, CONFIG.drains, (1 << levels) - 1)
    assert (np.diff(table) >= 0).all()
    low, high = sum_span(step, CONFIG.group)
    post, layer, shown = step.layer.post, step.layer, set()
    sums = np.arange(low, high + 1)
    least, greatest = channel_bounds(layer, activations)
    for place in np.ndindex(table.shape[:2]):
        m = place[0] * CONFIG.drains + place[1]
        count = (sums[:, None] >= table[place]).sum(1)
        got = ((1 << levels) - 1 - count if falls[place] else count) + codes.code_min
        if m >= len(layer.weights):
            assert not got.any(), "a filter that the layer lacks gives code 0"
            continue
        given = sums - step.weights.offsets[m] + (layer.bias[m] if bias else 0)
        if not bias:
            assert given[0] <= least[m] <= greatest[m] <= given[-1]
        want = codes.code_min + (int(post.direction[m]) * given[:, None] >= post.values[m]).sum(1)
        assert np.array_equal(got, want)
        shown |= set(want.tolist())
    assert len(shown) > (codes.code_max - codes.code_min) // 2
    assert set(np.unique(falls)) == {0, 1}


def test_raw_sums_leave_what_the_units_add():
    _, step = prepared(Dense(filters=5, bias=True, weights=Ternary()), Uniform(bits=2, signed=False), raw=True)
    table, falls = threshold_tables(step, CONFIG, 2)
    found = table.reshape(-1, 3)[:5]
    assert np.array_equal(found, np.repeat((step.weights.offsets - step.layer.bias)[:, None], 3, axis=1))
    assert not falls.any()


@pytest.mark.parametrize("levels", [1, 2, 3, 5])
def test_memories_ask_for_the_middle_of_what_is_left(levels):
    """Following the words by bisection counts every one of a filter's thresholds."""
    rng = np.random.default_rng(levels)
    entries = (1 << levels) - 1
    table = np.sort(rng.integers(-50, 50, (3, 2, entries)), axis=-1)
    falls = rng.integers(0, 2, (3, 2))
    words = threshold_words([(table[:1], falls[:1]), (table[1:], falls[1:])], range(2), levels, 8)
    assert len(words) == 2
    for lane, memories in enumerate(words):
        assert [len(memory) for memory in memories] == [3 << level for level in range(levels)]
        for emission in range(3):
            assert memories[0][emission] >> 8 == falls[emission, lane]
            for total in range(-60, 60):
                count = 0
                for level, memory in enumerate(memories):
                    word = memory[(emission << level) + count] & 255
                    count = 2 * count + (total >= word - (word >> 7 << 8))
                assert count == (total >= table[emission, lane]).sum()
