import numpy as np
import pytest

from rowloom.hw.units.bitplane_spec import BitplaneSpec
from rowloom.model.encodings import Quinary, Ternary, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check, check_every_word, few_words, random_words

PAIRS = pairs("bitplane", prefer=("bitplane",))

#: Pairs that are tried in a moment, and the rest.
SMALL = few_words(PAIRS, 1, 1024)
LARGE = [spec for spec in PAIRS if spec not in SMALL]


def test_the_pairs_reach_every_sign_of_the_top_planes():
    assert {(spec.weights.signed, spec.activations.signed) for spec in SMALL} == {
        (True, True), (True, False), (False, True), (False, False)
    }  # fmt: skip


@pytest.mark.parametrize("spec", SMALL, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.slow
@pytest.mark.parametrize("spec", LARGE, ids=name_of)
def test_every_pair_of_wide_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 300), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 10_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [4, 5, 16])
@pytest.mark.parametrize("spec", PAIRS[::29], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    """Dead words among them, which need no gate, and words with absent lanes."""
    check_random(spec, lanes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [spec for spec in PAIRS if spec.weights.bits == spec.activations.bits == 2][:2], ids=name_of
)
def test_random_words_of_128_lanes(spec):
    check_random(spec, 128)


def check_random(spec, lanes):
    """Random words after extremes, dead ones among them, and words with absent lanes."""
    count = 200 if lanes < 16 else 12
    activations, weights = random_words(spec, lanes, count, seed=lanes)
    live = np.random.default_rng(lanes + 1).random(len(weights)) < 0.8
    live[-1] = False
    check(spec, activations, weights, live=live)
    for absent in sorted({1, lanes // 2, lanes - 1}):
        check(spec, *random_words(spec, lanes, count // 4, absent=absent, seed=absent), absent=absent)


@pytest.mark.parametrize(
    "spec", [spec for spec in PAIRS if spec.weights.bits * spec.activations.bits <= 6], ids=name_of
)
def test_planes_add_up_to_the_product(spec):
    """Each pair of planes weighs what it contributes, the top ones negatively."""
    for w in range(spec.weights.code_min, spec.weights.code_max + 1):
        for a in range(spec.activations.code_min, spec.activations.code_max + 1):
            assert sum(weight * (w >> i & 1) * (a >> j & 1) for i, j, weight in spec.planes()) == w * a


def test_the_sum_is_the_products():
    spec = BitplaneSpec(weights=Uniform(bits=3, signed=True), activations=Uniform(bits=2, signed=False))
    words = np.array([[0, 1, -4, 3]])
    assert spec.offset(words, np.int64(0)).tolist() == spec.dead_offset(words, np.int64(2)).tolist() == [0]
    assert spec.fill(3).tolist() == [0, 0, 0]
    assert spec.word_range(2) == (-2 * 4 * 3, 2 * 3 * 3)


@pytest.mark.parametrize(
    ("weights", "activations", "lanes", "latency"),
    [
        (Ternary(), Ternary(), 1, 3),
        (Ternary(), Ternary(), 4, 3),
        (Ternary(), Ternary(), 5, 4),
        (Quinary(), Ternary(), 5, 5),
        (Uniform(bits=1, signed=False), Uniform(bits=1, signed=False), 8, 3),
        (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False), 128, 10),
    ],
)
def test_latency_is_the_stated_one(weights, activations, lanes, latency):
    """The counts of fours, the tree over them, the tree over the planes; the gates agree in every test above."""
    assert BitplaneSpec(weights=weights, activations=activations).latency(lanes) == latency
