import itertools

import pytest
from amaranth.hdl import Fragment

from rowloom.hw.units import SPECS, make_unit, unit_for
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.operation import Operation
from tests.hw.formats import ACTIVATIONS, WEIGHTS

NARROW, WIDE = (Codebook(tuple(range(count))) for count in (16, 17))


def expected(weights, activations):
    """The unit of a pair, from the rule in words: the first that fits."""
    plain = (Binary, Ternary)
    whole = tuple(
        isinstance(each, plain) or (isinstance(each, Uniform) and each.zero_point == 0)
        for each in (weights, activations)
    )
    power = tuple(isinstance(each, PowerOfTwo) for each in (weights, activations))
    table = any(isinstance(each, DoReFa | Codebook) for each in (weights, activations))
    if weights == activations == Binary():
        return "xnor"
    if weights == Binary() and isinstance(activations, Uniform) and whole[1]:
        return "sign"
    if weights in (Ternary(), Quinary()) and whole[1]:
        return "ternary" if weights == Ternary() else "quinary"
    if any(power) and all(w or p for w, p in zip(whole, power, strict=True)):
        return "shift"
    if table and max(weights.bits, activations.bits) <= 4:
        return "lut"
    return "multiply"


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_every_pair_has_the_unit_of_the_rule(weights):
    for activations in ACTIVATIONS:
        assert unit_for(weights, activations) is SPECS[expected(weights, activations)], activations


@pytest.mark.parametrize(
    ("weights", "activations", "unit"),
    [
        (Binary(), Binary(), "xnor"),
        (Binary(), Uniform(bits=8, signed=False), "sign"),
        (Binary(), Uniform(bits=4, signed=True), "sign"),
        (Binary(), Uniform(bits=4, signed=False, zero_point=1), "multiply"),
        (Binary(), Ternary(), "multiply"),
        (Ternary(), Binary(), "ternary"),
        (Ternary(), Ternary(), "ternary"),
        (Ternary(), Uniform(bits=8, signed=False, zero_point=3), "multiply"),
        (Quinary(), Uniform(bits=8, signed=False), "quinary"),
        (Quinary(), Quinary(), "multiply"),
        (PowerOfTwo(bits=3, e_min=0, e_max=2), Uniform(bits=8, signed=True), "shift"),
        (PowerOfTwo(bits=3, e_min=0, e_max=2), PowerOfTwo(bits=3, e_min=0, e_max=2), "shift"),
        (Uniform(bits=8, signed=True), PowerOfTwo(bits=3, e_min=0, e_max=2), "shift"),
        (DoReFa(4), Uniform(bits=4, signed=False), "lut"),
        (DoReFa(4), Uniform(bits=5, signed=False), "multiply"),
        (DoReFa(5), Uniform(bits=4, signed=False), "multiply"),
        (NARROW, NARROW, "lut"),
        (WIDE, NARROW, "multiply"),
        (Uniform(bits=16, signed=True), Uniform(bits=16, signed=False), "multiply"),
    ],
)
def test_the_table_names_a_unit(weights, activations, unit):
    assert unit_for(weights, activations) is SPECS[unit]


def test_the_operation_decides_too():
    """The same pair has another unit for distances, and a preferred unit must be one of the operation."""
    pair = (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False))
    assert unit_for(*pair).NAME == "multiply"
    assert unit_for(*pair, ("adder",)).NAME == "multiply"
    assert unit_for(*pair, ("bitplane",), Operation.ADDER).NAME == "adder"


@pytest.mark.parametrize("name", SPECS)
def test_every_unit_of_the_table_can_be_made(name):
    kind = SPECS[name]
    weights, activations = next(pair for pair in itertools.product(WEIGHTS, ACTIVATIONS) if kind.accepts(*pair))
    spec = kind(weights=weights, activations=activations)
    unit = make_unit(spec, lanes=3)
    Fragment.get(unit, None)
    assert unit.spec is spec
    assert unit.latency == spec.latency(3)
