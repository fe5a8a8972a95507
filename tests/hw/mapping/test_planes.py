from itertools import pairwise

import numpy as np
import pytest

from rowloom.hw.mapping.planes import MAX_PLANE_BITS, pair_rows, planes_for
from rowloom.hw.program import pair_fields
from rowloom.model.encodings import Binary, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from tests.hw.formats import ACTIVATIONS, WEIGHTS

PAIRS = [planes for w in WEIGHTS for a in ACTIVATIONS if (planes := planes_for(w, a))]
NAMES = [f"{planes.weights}-{planes.activations}" for planes in PAIRS]


def signs(bits):
    return 2 * bits - 1


@pytest.mark.parametrize("planes", PAIRS, ids=NAMES)
def test_pairs_of_planes_make_up_every_product(planes):
    """All codes of both sides: what the pairs give is the product, scaled, and a constant of the weight."""
    w = np.arange(planes.weights.code_min, planes.weights.code_max + 1)
    a = np.arange(planes.activations.code_min, planes.activations.code_max + 1)
    stored = planes.split(w)
    assert stored.shape == (len(w), planes.stored)
    assert set(np.unique(stored)) <= {0, 1}
    total = np.zeros((len(w), len(a)), np.int64)
    for pair in planes.pairs:
        plane = a >> pair.activations & 1
        total += np.outer(signs(stored[:, pair.weights]), signs(plane)) << pair.exponent
    want = np.outer(planes.weights.decode(w), planes.activations.decode(a)) << planes.scale
    constant = (total - want)[:, 0]
    assert np.array_equal(total - want, np.broadcast_to(constant[:, None], total.shape))
    if not planes.solid:  # padding that stands for no code must add nothing
        assert not constant.any()


@pytest.mark.parametrize("planes", PAIRS, ids=NAMES)
def test_exponents_fall_to_zero_without_a_gap(planes):
    exponents = [pair.exponent for pair in planes.pairs]
    assert exponents[-1] == 0
    assert {before - after for before, after in pairwise(exponents)} <= {0, 1}
    assert planes.coefficients.sum() == sum(1 << e for e in exponents)


@pytest.mark.parametrize("planes", PAIRS, ids=NAMES)
def test_rows_of_the_table_lead_from_pair_to_pair(planes):
    """Followed from the first pair's planes, in two's complement; the accumulator is doubled once an exponent."""
    rows, pairs = pair_rows(planes), planes.pairs
    widths = pair_fields()
    activations, weights, exponent = pairs[0].activations, pairs[0].weights, pairs[0].exponent
    for row, pair in zip(rows, pairs, strict=True):
        exponent -= row & 1
        assert (activations, weights, exponent) == (pair.activations, pair.weights, pair.exponent)
        steps, at = [], 1
        for name in ("a_step", "w_step"):
            step = row >> at & ((1 << widths[name]) - 1)
            steps.append(step - (step >> (widths[name] - 1) << widths[name]))
            at += widths[name]
        activations, weights = activations + steps[0], weights + steps[1]
        assert row >> at == 0


def test_few_planes_are_stored():
    unsigned, signed = (Uniform(bits=8, signed=s) for s in (False, True))
    counts = {
        (Binary(), unsigned): (1, 8),
        (Binary(), signed): (2, 8),
        (DoReFa(3), Uniform(bits=2, signed=False)): (3, 6),
        (Ternary(), Uniform(bits=2, signed=False)): (2, 4),
        (Quinary(), Binary()): (3, 3),
        (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False)): (5, 20),
    }
    for (w, a), (stored, pairs) in counts.items():
        planes = planes_for(w, a)
        assert (planes.stored, len(planes.pairs)) == (stored, pairs), (w, a)
        assert planes.products == w.bits * a.bits


@pytest.mark.parametrize(
    ("weights", "activations"),
    [
        (Binary(), Binary()),
        (Binary(), Uniform(bits=3, signed=False, zero_point=2)),
        (Uniform(bits=4, signed=False), Binary()),
        (Uniform(bits=4, signed=True, zero_point=-3), Binary()),
        (PowerOfTwo(bits=3, e_min=0, e_max=2), Binary()),
        (Binary(), PowerOfTwo(bits=3, e_min=0, e_max=2)),
        (Binary(), Uniform(bits=MAX_PLANE_BITS + 1, signed=False)),
    ],
)
def test_what_needs_units_of_its_own(weights, activations):
    assert planes_for(weights, activations) is None
