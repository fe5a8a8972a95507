from dataclasses import replace

import numpy as np
import pytest

from rowloom.hw.mapping.lines import fit_lines, lines_of
from rowloom.hw.mapping.rising import Rising, rising_of
from rowloom.model import zoo
from rowloom.model.encodings import Binary, Uniform
from tests.hw.networks import Conv, Dense, make_network


def line(rng, filters, bits, steps, fraction=40):
    """Thresholds of random lines, some of them beyond what the sums can be."""
    every = (1 << bits) - 1
    step = rng.uniform(*steps, filters)
    start = rng.uniform(-0.7, 0.2, filters) * step * every
    scaled = (step * 2**fraction).astype(object), (start * 2**fraction).astype(object)
    place = np.arange(1, every + 1)
    values = -((-(scaled[0][:, None] * place + scaled[1][:, None])) // 2**fraction)
    low, high = (np.round(-0.6 * step * every).astype(int), np.round(0.6 * step * every).astype(int))
    values = np.clip(values.astype(np.int64), low[:, None], high[:, None] + 1)
    return Rising(values=values, low=low, high=high, flip=np.zeros(filters, np.int64))


def told(rising, lines, levels, fraction):
    """Counts of every sum in reach by the lines, and by the thresholds: lists of arrays, one a filter."""
    every = rising.values.shape[1]
    for m in range(len(rising.values)):
        sums = np.arange(rising.low[m], rising.high[m] + 1)
        start = lines.starts[m][(sums >= lines.pivot[m]).astype(int)]
        step = int(lines.step[m])
        counts = ((sums << fraction) - start) // step if step else np.where(sums << fraction >= start, every + 1, 0)
        counts = np.clip(counts, 0, (1 << levels) - 1) >> (levels - every.bit_length())
        yield counts, np.searchsorted(rising.values[m], sums, side="right")


@pytest.mark.parametrize(("bits", "levels"), [(3, 3), (4, 4), (8, 8), (2, 5), (4, 8)])
@pytest.mark.parametrize("steps", [(0.3, 2), (3, 30), (40, 900)], ids=["steep", "some", "flat"])
def test_a_line_gives_the_count_of_every_sum(bits, levels, steps):
    rising = line(np.random.default_rng(bits), 20, bits, steps)
    fraction = 20
    lines, room = fit_lines(rising, levels, fraction, rising.values[:, 0])
    assert (room >= 0).all()
    for m, (got, want) in enumerate(told(rising, lines, levels, fraction)):
        if not lines.constant[m]:
            assert np.array_equal(got, want)
    assert not lines.constant.all()


@pytest.mark.parametrize("bent", [False, True])
def test_a_fraction_that_does_not_fit_has_no_line_at_all(bent):
    """Every step and start of a small filter tried, against the search."""
    rng = np.random.default_rng(1)
    shown = set()
    for _ in range(60):
        values = np.sort(rng.integers(-4, 6, (1, 3)), axis=1)
        rising = Rising(values=values, low=np.array([-4]), high=np.array([4]), flip=np.zeros(1, np.int64))
        if rising.constant.any():
            continue
        pivot = np.array([int(rng.integers(-3, 4))])
        fraction = int(rng.integers(0, 3))
        _, room = fit_lines(rising, 2, fraction, pivot, bent=bent)
        sums, found = np.arange(-4, 5), False
        counts = np.searchsorted(values[0], sums, side="right")
        sides = [sums < pivot, sums >= pivot] if bent else [sums == sums]
        for step in range(10 << fraction):
            starts = np.arange(-(40 << fraction), 40 << fraction)
            reached = ((sums[:, None] << fraction) - starts)[:, :, None] >= step * np.arange(1, 4)
            right = reached.sum(axis=2) == counts[:, None]
            found |= all(right[side].all(axis=0).any() for side in sides)
        assert (room[0] >= 0) == found
        shown.add(bool(found))
    assert shown == {False, True}


SIGNED = Uniform(bits=8, signed=True)


def requantized(post, codes=SIGNED, **options):
    specs = [Conv(filters=9, weights=Uniform(bits=4, signed=True), codes=codes, post=post, bias=True, **options)]
    return make_network(specs, shape=(6, 6, 3), encoding=Uniform(bits=4, signed=False), raw=False, seed=5)


def test_requantize_is_straight_where_no_code_is_below_the_zero_point():
    lines = lines_of(requantized("requantize"))
    assert not lines.bent
    assert lines_of(requantized("requantize-middle")).bent


@pytest.mark.parametrize("post", ["line", "requantize", "requantize-middle"])
@pytest.mark.parametrize("codes", [SIGNED, Uniform(bits=8, signed=False), Uniform(bits=4, signed=True)], ids=str)
def test_the_fraction_is_the_least_that_serves(post, codes):
    network = requantized(post, codes)
    (layer,) = network.layers
    lines = lines_of(network)
    rising = rising_of(layer, network.sum_bounds(layer), codes)
    found = lines.layers[layer.name]
    for m, (got, want) in enumerate(told(rising, found, lines.levels, lines.fraction)):
        if not found.constant[m]:
            assert np.array_equal(got, want)
    _, room = fit_lines(rising, lines.levels, lines.fraction - 1, found.pivot, bent=lines.bent)
    assert (room < 0).any()


def test_a_bend_mends_what_rounding_moved():
    """The upper half of every line's thresholds a sum late, which no straight line gives and two starts do."""
    network = requantized("line")
    (layer,) = network.layers
    rising = rising_of(layer, network.sum_bounds(layer), SIGNED)
    within = np.flatnonzero(
        ((rising.values > rising.low[:, None]) & (rising.values <= rising.high[:, None])).all(axis=1)
    )
    assert len(within) > 3
    values = rising.values[within].copy()
    pivot = values[:, 127] + 1
    values[:, 128:] += 1
    moved = Rising(values=values, low=rising.low[within], high=rising.high[within] + 1, flip=rising.flip[within])
    assert (fit_lines(moved, 8, 20, pivot)[1] < 0).all()
    lines, room = fit_lines(moved, 8, 20, pivot, bent=True)
    assert (room >= 0).all()
    for got, want in told(moved, lines, 8, 20):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("step", [2, 4, 6, 64, 1.5])
def test_halves_that_are_rounded_to_even_are_late(step):
    """Codes of 0 to 15 that stand for a sum over a step, where every second half, if there is one, rounds down."""
    sums = np.arange(-100, 1200)
    codes = np.clip(np.round(sums / step), 0, 15).astype(np.int64)
    values = -100 + np.searchsorted(codes, np.arange(1, 16))[None]
    rising = Rising(values=values, low=np.array([-100]), high=np.array([1199]), flip=np.zeros(1, np.int64))
    no_halves = step == 1.5
    assert (fit_lines(rising, 4, 20, values[:, 7])[1][0] >= 0) == no_halves
    late = replace(rising, late=np.array([not no_halves]))
    lines, room = fit_lines(late, 4, 20, values[:, 7])
    assert room[0] >= 0
    place = np.arange(1, 16)
    found = -(-(place * lines.step[0] + lines.starts[0, 0] + lines.late[0] * (place % 2)) >> 20)
    assert np.array_equal(found, values[0])


@pytest.mark.parametrize(
    "name", ["autoencoder", "ds-cnn", "mobilenet-025", "peer-cnn", "resnet8", "shufflenet-unit", "squeezenet-fire"]
)
def test_networks_of_our_own_layers_are_on_straight_lines(name):
    lines = lines_of(zoo.load(name))
    assert lines.levels == 8
    assert not lines.bent


def test_scattered_thresholds_have_no_lines():
    specs = [Conv(filters=9, codes=Uniform(bits=4, signed=False)), Dense(filters=3)]
    assert lines_of(make_network(specs, shape=(9, 9, 3))) is None


def test_sums_alone_need_no_lines():
    assert lines_of(make_network([Dense(filters=3)], shape=(3, 3, 3))) is None


def test_any_binary_code_is_on_a_line():
    lines = lines_of(make_network([Conv(filters=9, codes=Binary()), Dense(filters=3)], shape=(9, 9, 3)))
    assert (lines.levels, lines.fraction, lines.bent) == (1, 0, False)
