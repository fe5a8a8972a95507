import pytest

from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("multiply")


#: Pairs that are tried in a moment, and the rest.
SMALL = few_words(PAIRS, 1, 1024)
LARGE = [spec for spec in PAIRS if spec not in SMALL]


@pytest.mark.parametrize("spec", SMALL, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.slow
@pytest.mark.parametrize("spec", LARGE, ids=name_of)
def test_every_pair_of_wide_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 150), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 5_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [4, 5, 16, 128])
@pytest.mark.parametrize("spec", PAIRS[::67], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    check_random_words(spec, lanes)
