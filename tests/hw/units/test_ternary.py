import numpy as np
import pytest

from rowloom.hw.units.term_spec import TernarySpec
from rowloom.model.encodings import Binary, Ternary, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("ternary")


@pytest.mark.parametrize("spec", PAIRS, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 600), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 70_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [4, 5, 16, 128])
@pytest.mark.parametrize("spec", PAIRS[::4], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    check_random_words(spec, lanes)


def test_a_complement_is_over_by_the_same_whatever_the_activation():
    """Four bits complemented are 15 more than the negative; padded taps too."""
    spec = TernarySpec(weights=Ternary(), activations=Uniform(bits=4, signed=False))
    words = np.array([[0, 1, 0, 1], [-1, 1, 0, -1], [-1, -1, -1, -1]])
    assert spec.offset(words, 0).tolist() == spec.dead_offset(words, 0).tolist() == [0, 30, 60]
    assert spec.term_range() == (0, 15)


def test_a_complement_with_a_sign_is_one_less_than_the_negative():
    spec = TernarySpec(weights=Ternary(), activations=Uniform(bits=4, signed=True))
    assert spec.offset(np.array([[-1, 1, 0, -1]]), 0).tolist() == [-2]
    assert spec.term_range() == (-8, 7)


def test_nothing_is_owed_where_padding_is_gated():
    """Activation code 0 of a sign is not zero: padded taps must be told, and can then be plainly zero."""
    spec = TernarySpec(weights=Ternary(), activations=Binary())
    assert spec.gated
    words = np.array([[-1, 1, 0, -1]])
    assert spec.offset(words, 0).tolist() == spec.dead_offset(words, 0).tolist() == [0]


@pytest.mark.parametrize(("lanes", "latency"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7)])
def test_latency_is_the_stated_one(lanes, latency):
    assert PAIRS[0].latency(lanes) == latency
