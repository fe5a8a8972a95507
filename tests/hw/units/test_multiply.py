import pytest

from rowloom.hw.units.term_spec import MultiplySpec
from rowloom.model.encodings import Uniform
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


@pytest.mark.parametrize(("lanes", "tree"), [(1, 1), (2, 1), (3, 2), (33, 6)])
@pytest.mark.parametrize(
    ("bits", "other", "stages"),
    [(1, 8, 1), (2, 8, 1), (3, 3, 2), (4, 16, 2), (8, 5, 3), (8, 8, 3), (16, 9, 4), (16, 16, 4)],
)
def test_latency_is_the_stated_one(bits, other, stages, lanes, tree):
    """The narrower operand decides: two of its bits in a cycle, then a tree."""
    for w, a in ((bits, other), (other, bits)):
        spec = MultiplySpec(weights=Uniform(bits=w, signed=w > 1), activations=Uniform(bits=a, signed=False))
        assert spec.latency(lanes) == stages + tree


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("zero_point", [0, 3])
@pytest.mark.parametrize(("w", "a"), [(16, 16), (16, 5), (3, 16), (9, 12)])
def test_wide_codes(w, a, zero_point, lanes):
    """Up to 16 bits a side, and a zero point that needs a seventeenth."""
    weights, activations = Uniform(bits=w, signed=True), Uniform(bits=a, signed=False, zero_point=zero_point)
    check_random_words(MultiplySpec(weights=weights, activations=activations), lanes)
