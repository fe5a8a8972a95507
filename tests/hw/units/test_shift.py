import numpy as np
import pytest

from rowloom.hw.units.term_spec import ShiftSpec
from rowloom.model.encodings import Binary, PowerOfTwo, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, codes_of, few_words

PAIRS = pairs("shift")

LOG = PowerOfTwo(bits=3, e_min=0, e_max=2)
LOG_UNSIGNED = PowerOfTwo(bits=3, e_min=0, e_max=4, signed=False)


@pytest.mark.parametrize("spec", PAIRS, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 400), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 5_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [4, 5, 16, 128])
@pytest.mark.parametrize("spec", PAIRS[::18], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    check_random_words(spec, lanes)


@pytest.mark.parametrize("spec", PAIRS, ids=name_of)
def test_the_least_exponents_are_left_out(spec):
    """Every product is a multiple of them, and one is no multiple of more."""
    values = [np.unique(encoding.decode(codes_of(encoding))) for encoding in (spec.weights, spec.activations)]
    products = np.multiply.outer(*values)
    assert not (products % (1 << spec.shift)).any()
    assert (products % (2 << spec.shift)).any()


def test_exponents_of_both_sides_add():
    log = PowerOfTwo(bits=4, e_min=2, e_max=5)
    spec = ShiftSpec(weights=log, activations=log)
    assert (spec.shift, spec.term_range()) == (4, (-64, 64))
    check_every_word(spec, 1)


@pytest.mark.parametrize(("lanes", "tree"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7)])
@pytest.mark.parametrize(
    ("weights", "activations", "stages"),
    [
        (LOG, Uniform(bits=4, signed=False), 1),
        (Uniform(bits=4, signed=True), LOG_UNSIGNED, 1),
        (LOG, Binary(), 2),
        (Uniform(bits=4, signed=True), LOG, 2),
        (LOG, LOG_UNSIGNED, 2),
    ],
    ids=["complements", "shifts", "negates-gated", "negates", "adds-exponents"],
)
def test_latency_is_the_stated_one(weights, activations, stages, lanes, tree):
    """Shifting alone takes a register, and one more where a carry chain or a decoder follows."""
    assert ShiftSpec(weights=weights, activations=activations).latency(lanes) == stages + tree


def test_a_complement_is_over_by_the_same_whatever_the_activation():
    """Six bits hold an activation of 4 shifted by 2; complemented they are 63 more than the negative, at any e_min."""
    words = np.array([[-3, -1, 0, 2]])
    for least in (0, 1):
        log = PowerOfTwo(bits=3, e_min=least, e_max=least + 2)
        spec = ShiftSpec(weights=log, activations=Uniform(bits=4, signed=False))
        assert spec.term_range() == (0, 63)
        assert spec.offset(words, 0).tolist() == [2 * 63 << least]
