import itertools

import numpy as np
import pytest

from rowloom.hw.units.sign import SignUnit
from rowloom.hw.units.spec import SignSpec, XnorSpec
from rowloom.hw.units.xnor import XnorUnit
from rowloom.model.encodings import Binary, Uniform
from tests.hw.cycles import trace


def words(lanes, base):
    return np.array(list(itertools.product(range(base), repeat=lanes)), np.int64).reshape(-1, lanes)


def pack(codes, bits):
    return sum(int(code) << (i * bits) for i, code in enumerate(codes))


def sums(unit, activations, weights, live, odd):
    """What the gates answer to pairs of words."""
    inputs = [
        {"activations": pack(a, unit.activation_bits), "weights": pack(w, 1), "live": live, "odd": odd}
        for a, w in zip(activations, weights, strict=True)
    ]
    seen = trace(unit, inputs, ["sum"], extra=unit.latency)[unit.latency :]
    return np.array([cycle["sum"] for cycle in seen])


@pytest.mark.parametrize(
    ("kind", "bits", "half"),
    [(XnorUnit, 1, False), (XnorUnit, 1, True), (SignUnit, 1, False), (SignUnit, 2, False)],
    ids=["xnor", "xnor-half", "sign-1", "sign-2"],
)
@pytest.mark.parametrize(("lanes", "absent"), [(n, a) for n in range(1, 5) for a in range(n)])
def test_sum_is_products_plus_offset(kind, bits, half, lanes, absent):
    """For every word whose last ``absent`` lanes hold no channel: ``sum << SHIFT == products + offset``."""
    spec = kind.SPEC
    shift = 0 if half else spec.SHIFT
    unit = kind(lanes=lanes, activation_bits=bits, half=half)
    used = lanes - absent
    pairs = list(itertools.product(words(used, 1 << bits), words(used, 2)))
    codes = np.array([np.concatenate([a, np.zeros(absent, np.int64)]) for a, _ in pairs])
    weights = np.array([np.concatenate([w, spec.fill(absent)]) for _, w in pairs])
    values = codes[:, :used] if kind is SignUnit else 2 * codes[:, :used] - 1
    products = (values * (2 * weights[:, :used] - 1)).sum(1)
    got = sums(unit, codes, weights, live=1, odd=absent % 2)
    assert np.array_equal(got << shift, products + spec.offset(weights, np.int64(absent), half=half))
    low, high = spec.word_range(lanes, bits, half=half)
    assert low <= got.min()
    assert got.max() <= high


@pytest.mark.parametrize(
    ("kind", "half"), [(XnorUnit, False), (XnorUnit, True), (SignUnit, False)], ids=["xnor", "xnor-half", "sign"]
)
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])
def test_a_dead_word_sums_to_its_dead_offset(kind, half, lanes):
    spec = kind.SPEC
    shift = 0 if half else spec.SHIFT
    weights = words(lanes, 2)
    dead = np.zeros_like(weights)
    got = sums(kind(lanes=lanes, activation_bits=1, half=half), dead, weights, live=0, odd=0)
    assert np.array_equal(got << shift, spec.dead_offset(weights, np.int64(0), half=half))


@pytest.mark.parametrize("lanes", range(1, 7))
def test_the_half_bit_makes_every_word_fit_for_padding(lanes):
    for absent in range(lanes):
        weights = np.zeros((1, lanes), np.int64)
        alive, dead = (
            function(weights, np.int64(absent), half=True) for function in (XnorSpec.offset, XnorSpec.dead_offset)
        )
        assert np.array_equal(alive, dead)
        without = XnorSpec.offset(weights, np.int64(absent), half=False)
        fits = np.array_equal(without, XnorSpec.dead_offset(weights, np.int64(absent), half=False))
        assert fits == ((lanes - absent) % 2 == 0 or absent % 2 == lanes % 2)


@pytest.mark.parametrize(
    ("spec", "weights", "activations", "accepted"),
    [
        (XnorSpec, Binary(), Binary(), True),
        (XnorSpec, Binary(), Uniform(bits=1, signed=False), False),
        (SignSpec, Binary(), Uniform(bits=8, signed=False), True),
        (SignSpec, Binary(), Uniform(bits=8, signed=True), False),
        (SignSpec, Binary(), Uniform(bits=8, signed=False, zero_point=3), False),
        (SignSpec, Uniform(bits=1, signed=False), Uniform(bits=8, signed=False), False),
    ],
)
def test_what_a_unit_accepts(spec, weights, activations, accepted):
    assert spec.accepts(weights, activations) is accepted
