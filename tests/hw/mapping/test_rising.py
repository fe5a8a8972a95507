import numpy as np
import pytest

from rowloom.hw.mapping.rising import rising_of
from rowloom.model.arith import requantize
from rowloom.model.bounds import channel_bounds
from rowloom.model.encodings import Codebook, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.layers import Linear
from rowloom.model.post import Requantize, Thresholds
from rowloom.model.rewrites.thresholds import thresholds_of

SOURCE = Uniform(bits=4, signed=True, zero_point=1)


def dense(rng, filters, post, target):
    """A layer of random weights and biases."""
    return Linear(
        name="fc", input="input", output="output", weights=rng.integers(-8, 8, (filters, 1, 1, 5)),
        weight_encoding=Uniform(bits=4, signed=True), bias=rng.integers(-50, 50, filters), post=post(filters, target),
    )  # fmt: skip


def golden(layer, target, sums):
    """Codes of sums [K, M]."""
    post = layer.post
    if isinstance(post, Requantize):
        return requantize(
            sums, multiplier=post.multiplier, shift=post.shift, zero_point=post.output_zero_point,
            code_min=target.code_min, code_max=target.code_max,
        )  # fmt: skip
    counts = (post.direction * sums)[:, :, None] >= post.values[None]
    return target.code_min + counts.sum(axis=2)


def ties(rng):
    """Multipliers of a half and shifts: many sums lie halfway between two codes, in either rounding."""
    return lambda filters, target: Requantize(
        multiplier=np.where(rng.random(filters) < 0.7, 1 << 30, 3 << 29),
        shift=rng.integers(-4, 2, filters),
        output_zero_point=int(rng.integers(target.code_min, target.code_max + 1)),
    )


def any_scale(rng):
    """Multipliers of any kind, 0 among them."""
    return lambda filters, target: Requantize(
        multiplier=np.where(rng.random(filters) < 0.1, 0, rng.integers(1 << 30, 1 << 31, filters)),
        shift=rng.integers(-6, 1, filters),
        output_zero_point=int(rng.integers(target.code_min, target.code_max + 1)),
    )


def scattered(rng):
    """Thresholds anywhere, of either direction."""
    return lambda filters, target: Thresholds(
        values=np.sort(rng.integers(-600, 600, (filters, target.code_max - target.code_min)), axis=1),
        direction=rng.choice([-1, 1], filters),
    )


def every_sum(layer):
    """All sums of each filter's span, as [K, M]; shorter spans repeat their greatest."""
    low, high = (np.array(ends) for ends in channel_bounds(layer, SOURCE))
    return np.minimum(low + np.arange((high - low).max() + 1)[:, None], high)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("post", [ties, any_scale])
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("signed", [False, True])
def test_requantize_has_the_thresholds_of_its_own_function(seed, post, bits, signed):
    """Every sum of every filter, negative ones and ties included."""
    rng = np.random.default_rng(seed)
    target = Uniform(bits=bits, signed=signed)
    layer = dense(rng, 12, post(rng), target)
    values, direction = thresholds_of(layer, channel_bounds(layer, SOURCE), target)
    assert values.shape == (12, (1 << bits) - 1)
    assert (direction == 1).all()
    assert (np.diff(values) >= 0).all()
    sums = every_sum(layer)
    assert sums.min() < 0 < sums.max()
    counts = (sums[:, :, None] >= values[None]).sum(axis=2)
    assert np.array_equal(target.code_min + counts, golden(layer, target, sums))


CODES = (
    Uniform(bits=8, signed=False), Uniform(bits=8, signed=True, zero_point=5), Uniform(bits=3, signed=True), Ternary(),
    Quinary(), PowerOfTwo(bits=4, e_min=0, e_max=2), Codebook((-5, -1, 0, 2, 11)), Uniform(bits=1, signed=True),
)  # fmt: skip


@pytest.mark.parametrize("target", CODES, ids=str)
@pytest.mark.parametrize("post", [scattered, any_scale])
def test_a_code_is_the_count_with_some_bits_flipped(target, post):
    """Falling filters, signed codes, and encodings that leave codes of their bits unused."""
    rng = np.random.default_rng(target.bits)
    layer = dense(rng, 12, post(rng), target)
    rising = rising_of(layer, channel_bounds(layer, SOURCE), target)
    assert rising.values.shape == (12, (1 << target.bits) - 1)
    assert (np.diff(rising.values) >= 0).all()
    sums = every_sum(layer)
    counts = (sums[:, :, None] >= rising.values[None]).sum(axis=2)
    mask = (1 << target.bits) - 1
    want = golden(layer, target, sums)
    assert np.array_equal(counts ^ rising.flip, want & mask)
    assert np.array_equal(rising.constant, (want == want[0]).all(axis=0))
    assert np.array_equal(rising.counts, counts[0])
