import numpy as np
import pytest

from rowloom.hw.units.term_spec import QuinarySpec
from rowloom.model.encodings import Quinary, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("quinary")


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


def test_terms_have_no_sign():
    """A negative weight complements all bits of a term: 31 less its activation, or less twice that."""
    spec = QuinarySpec(weights=Quinary(), activations=Uniform(bits=4, signed=False))
    assert spec.term_range() == (0, 31)
    assert spec.offset(np.array([[-2, -1, 0, 1, 2]]), 0).tolist() == [2 * 31]
