import numpy as np
import pytest

from rowloom.hw.units.sign_spec import SignSpec
from rowloom.model.encodings import Binary, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("sign")


def sign(bits, signed=False):
    return SignSpec(weights=Binary(), activations=Uniform(bits=bits, signed=signed))


@pytest.mark.parametrize("spec", PAIRS, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("absent", [0, 1])
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 1100), ids=name_of)
def test_every_word_of_two_lanes(spec, absent):
    check_every_word(spec, 2, absent=absent)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 70_000), ids=name_of)
def test_every_word_of_two_lanes_and_wider_codes(spec):
    check_every_word(spec, 2)


@pytest.mark.parametrize("absent", [0, 1, 2])
@pytest.mark.parametrize(("lanes", "bits"), [(3, 1), (3, 2), (4, 1), (5, 1)])
def test_every_word_of_small_units(lanes, bits, absent):
    check_every_word(sign(bits), lanes, absent=absent)


@pytest.mark.parametrize("spec", [sign(8), sign(3), sign(4, signed=True)], ids=name_of)
@pytest.mark.parametrize("lanes", [4, 5, 9, 12, 27, 128])
def test_random_words_after_extremes(lanes, spec):
    check_random_words(spec, lanes)


@pytest.mark.parametrize(("lanes", "latency"), [(1, 2), (2, 2), (4, 2), (5, 3), (8, 3), (9, 4), (128, 7)])
def test_latency_is_the_stated_one(lanes, latency):
    assert sign(8).latency(lanes) == latency


def test_a_padded_tap_adds_only_what_is_owed():
    """Its activations are zero, so that the offset is the same with it and without."""
    words = np.eye(4, dtype=int)
    assert np.array_equal(sign(8).dead_offset(words, 0), sign(8).offset(words, 0))
    assert sign(8).offset(words, 0).tolist() == [-1, -2, -1, -2]
