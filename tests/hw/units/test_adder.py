import numpy as np
import pytest

from rowloom.hw.units.adder_spec import AdderSpec
from rowloom.model.encodings import Quinary, Ternary, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("adder")

#: Pairs that are tried in a moment, and the rest.
SMALL = few_words(PAIRS, 1, 1024)
LARGE = [spec for spec in PAIRS if spec not in SMALL]


def of(weight_bits, activation_bits):
    weights, activations = Uniform(bits=weight_bits, signed=True), Uniform(bits=activation_bits, signed=False)
    return AdderSpec(weights=weights, activations=activations)


def test_the_pairs_reach_tables_and_subtractions():
    assert {spec.tabled for spec in SMALL} == {True, False}
    assert len(LARGE) > 10


@pytest.mark.parametrize("spec", SMALL, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.slow
@pytest.mark.parametrize("spec", LARGE, ids=name_of)
def test_every_pair_of_wide_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 600), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 20_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5, 7, 16, 33, 128])
@pytest.mark.parametrize("spec", [of(2, 2), of(4, 4), of(8, 8)], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    """Every shape of tree: with an odd term passed on, with a carry for every adder."""
    check_random_words(spec, lanes)


@pytest.mark.parametrize("spec", PAIRS[::9], ids=name_of)
def test_random_words_of_other_pairs(spec):
    check_random_words(spec, 6)


def test_a_word_is_too_great_by_the_ceiling_of_every_lane():
    """Whatever the weights, and in a padded word too."""
    spec = of(4, 4)
    assert (spec.farthest, spec.magnitude_bits, spec.ceiling) == (23, 5, 32)
    words = np.array([[0, 1, 0, -8], [7, 7, 7, 7]])
    assert spec.offset(words, 0).tolist() == spec.dead_offset(words, 2).tolist() == [128, 128]
    assert spec.word_range(4) == (4 * 9, 128)


def test_a_table_holds_no_more_than_the_greatest_distance():
    spec = of(2, 2)
    assert spec.tabled
    assert spec.ceiling == spec.farthest == 5
    assert spec.word_range(8) == (0, 40)


@pytest.mark.parametrize(
    ("weights", "activations", "bits"),
    [
        (Uniform(bits=1, signed=True), Uniform(bits=8, signed=False), 9),  # -0 to 256
        (Uniform(bits=8, signed=False), Uniform(bits=8, signed=False), 8),
        (Uniform(bits=8, signed=False), Uniform(bits=1, signed=True), 8),  # -256 to 0
        (Ternary(), Quinary(), 2),
        (Quinary(), Uniform(bits=16, signed=True), 16),
    ],
)
def test_magnitudes_are_as_narrow_as_can_be(weights, activations, bits):
    spec = AdderSpec(weights=weights, activations=activations)
    low, high = activations.min - weights.max, activations.max - weights.min
    assert spec.magnitude_bits == bits
    assert -(1 << bits) <= low
    assert high < 1 << bits
    assert low < -(1 << (bits - 1)) or high >= 1 << (bits - 1)


@pytest.mark.parametrize(("lanes", "latency"), [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (33, 7)])
def test_latency_is_the_stated_one(lanes, latency):
    """One more than the tree's: the lanes' registers."""
    assert of(4, 4).latency(lanes) == latency
