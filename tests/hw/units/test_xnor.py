# amaranth: UnusedElaboratable=no
import numpy as np
import pytest

from rowloom.hw.units.xnor import XnorUnit
from rowloom.hw.units.xnor_spec import XnorSpec
from rowloom.model.encodings import Binary
from tests.hw.units.words import check_every_word, check_random_words

HALF = pytest.mark.parametrize("half", [False, True], ids=["", "half"])


def xnor(half=False):
    return XnorSpec(weights=Binary(), activations=Binary(), half=half)


@HALF
@pytest.mark.parametrize(("lanes", "absent"), [(n, a) for n in range(1, 6) for a in range(n)])
def test_every_word_of_small_units(lanes, absent, half):
    check_every_word(xnor(half), lanes, absent=absent)


@HALF
@pytest.mark.parametrize("lanes", [4, 5, 7, 8, 9, 16, 32, 33, 128])
def test_random_words_after_extremes(lanes, half):
    check_random_words(xnor(half), lanes)


@pytest.mark.parametrize("lanes", range(1, 7))
def test_the_half_bit_makes_every_word_fit_for_padding(lanes):
    for absent in range(lanes):
        weights, gaps = np.zeros((1, lanes), np.int64), np.int64(absent)
        assert np.array_equal(xnor(half=True).offset(weights, gaps), xnor(half=True).dead_offset(weights, gaps))
        fits = np.array_equal(xnor().offset(weights, gaps), xnor().dead_offset(weights, gaps))
        assert fits == ((lanes - absent) % 2 == 0 or absent % 2 == lanes % 2)


@pytest.mark.parametrize(("lanes", "latency"), [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (16, 3), (32, 4), (64, 5)])
def test_latency_is_the_stated_one(lanes, latency):
    assert XnorUnit(lanes=lanes, spec=xnor()).latency == xnor().latency(lanes) == latency


@pytest.mark.parametrize("lanes", [0, -1, 1.5])
def test_lanes_are_checked(lanes):
    with pytest.raises(ValueError, match=rf"^lanes must be a positive integer, not {lanes}$"):
        XnorUnit(lanes=lanes, spec=xnor())
