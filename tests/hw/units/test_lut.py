import numpy as np
import pytest

from rowloom.hw.units.term_spec import LutSpec
from rowloom.model.encodings import Codebook, DoReFa, Uniform
from tests.hw.formats import name_of, pairs
from tests.hw.units.words import check_every_word, check_random_words, few_words

PAIRS = pairs("lut")


@pytest.mark.parametrize("spec", PAIRS, ids=name_of)
def test_every_pair_of_codes(spec):
    check_every_word(spec, 1)


@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 80), ids=name_of)
def test_every_word_of_two_lanes(spec):
    check_every_word(spec, 2)


@pytest.mark.slow
@pytest.mark.parametrize("spec", few_words(PAIRS, 2, 5_000), ids=name_of)
def test_every_word_of_two_lanes_with_and_without_a_channel(spec):
    for absent in (0, 1):
        check_every_word(spec, 2, absent=absent)


@pytest.mark.parametrize("lanes", [4, 5, 16, 33])
@pytest.mark.parametrize("spec", PAIRS[1::41], ids=name_of)
def test_random_words_after_extremes(spec, lanes):
    check_random_words(spec, lanes)


def test_absent_lanes_multiply_what_code_0_means():
    """Neither side has a zero: a lane without a channel adds the fill times the activation of code 0."""
    spec = LutSpec(weights=DoReFa(2), activations=DoReFa(2))
    assert spec.fill(2).tolist() == [3, 3]
    assert spec.offset(np.zeros((1, 4), int), np.int64(2)).tolist() == [2 * 3 * -3]
    assert spec.dead_offset(np.zeros((1, 4), int), np.int64(2)).tolist() == [0]


def test_absent_lanes_hold_zero_where_there_is_one():
    spec = LutSpec(weights=Codebook((-3, 0, 2)), activations=DoReFa(2))
    assert spec.fill(2).tolist() == [1, 1]
    assert spec.offset(np.zeros((1, 4), int), np.int64(2)).tolist() == [0]


def test_entries_begin_at_zero():
    """Each weight's least product is owed, so that an entry needs no sign."""
    spec = LutSpec(weights=DoReFa(2), activations=Uniform(bits=2, signed=False))
    assert spec.term_range() == (0, 9)
    assert spec.offset(np.array([[0, 1, 2, 3]]), 0).tolist() == [9 + 3]


def test_entries_of_large_tables_are_the_products():
    spec = LutSpec(weights=DoReFa(4), activations=Uniform(bits=3, signed=False))
    assert spec.term_range() == (-105, 105)
    assert spec.offset(np.array([[0, 1, 2, 3]]), 0).tolist() == [0]


@pytest.mark.parametrize(("lanes", "latency"), [(1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (33, 7)])
def test_latency_is_the_stated_one(lanes, latency):
    """One more than the tree's: the tables' registers."""
    assert PAIRS[0].latency(lanes) == latency
