import itertools

import pytest

from rowloom.hw.units import SPECS, unit_for
from rowloom.hw.units.nearest import nearest, pair_name
from rowloom.hw.units.term_spec import LutSpec, MultiplySpec
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.operation import Operation
from tests.hw.formats import ACTIVATIONS, WEIGHTS

BYTES = Uniform(bits=8, signed=False)


def signed(bits, zero_point=0):
    return Uniform(bits=bits, signed=True, zero_point=zero_point)


def raised(function, *given, **named):
    with pytest.raises(RowloomError) as caught:
        function(*given, **named)
    return str(caught.value)


@pytest.mark.parametrize(
    ("weights", "activations", "operation", "message"),
    [
        (
            signed(17),
            Binary(),
            Operation.MULTIPLY,
            "Uniform(bits=17, signed=True) weights x Binary() activations: no arithmetic unit multiplies them, "
            "the nearest pair with a unit is Uniform(bits=16, signed=True) weights x Binary() activations: "
            "multiply takes any two encodings of up to 16 bits",
        ),
        (
            DoReFa(2),
            signed(20, zero_point=1),
            Operation.MULTIPLY,
            "DoReFa(k=2) weights x Uniform(bits=20, signed=True, zero_point=1) activations: no arithmetic unit "
            "multiplies them, the nearest pair with a unit is DoReFa(k=2) weights x "
            "Uniform(bits=16, signed=True, zero_point=1) activations: multiply takes",
        ),
        (
            signed(4, zero_point=1),
            BYTES,
            Operation.ADDER,
            "Uniform(bits=4, signed=True, zero_point=1) weights x Uniform(bits=8, signed=False) activations: no "
            "arithmetic unit sums their distances, the nearest pair with a unit is Uniform(bits=4, signed=True) "
            "weights x Uniform(bits=8, signed=False) activations: adder takes",
        ),
        (
            signed(18),
            signed(17),
            Operation.ADDER,
            "nearest pair with a unit is Uniform(bits=16, signed=True) weights x Uniform(bits=16, signed=True) activ",
        ),
        # The same values, coded as themselves.
        (
            Codebook((-3, 0, 9)),
            PowerOfTwo(bits=3, e_min=0, e_max=4, signed=False),
            Operation.ADDER,
            "Codebook(3 values) weights x PowerOfTwo(bits=3, e_min=0, e_max=4, signed=False) activations: no "
            "arithmetic unit sums their distances, the nearest pair with a unit is Uniform(bits=5, signed=True) "
            "weights x Uniform(bits=5, signed=False) activations: adder takes",
        ),
    ],
)
def test_a_pair_without_a_unit_is_told_the_nearest_that_has_one(weights, activations, operation, message):
    assert message in raised(unit_for, weights, activations, operation=operation)


def test_a_table_too_large_is_told_by_how_much():
    wide = Codebook(tuple(range(32)))
    assert raised(LutSpec, weights=wide, activations=BYTES) == (
        "lut unit: does not take Codebook(32 values) weights x Uniform(bits=8, signed=False) activations, the nearest "
        "pair that it takes is Codebook(16 values) weights x Uniform(bits=4, signed=False) activations: it takes "
        f"{LutSpec.TAKES}"
    )
    assert unit_for(wide, BYTES) is MultiplySpec, "as it is, by multiplying"


def test_a_width_out_of_range_is_told_the_widest():
    assert "nearest pair that it takes is Uniform(bits=16, signed=True) weights x DoReFa(k=3) activations" in raised(
        MultiplySpec, weights=signed(40), activations=DoReFa(3)
    )


@pytest.mark.parametrize("name", SPECS)
def test_every_unit_refuses_by_a_pair_that_it_takes(name):
    """Whatever it is given, and what it takes is nearest to itself."""
    kind, refused = SPECS[name], 0
    for weights, activations in itertools.product((*WEIGHTS, signed(48, 7)), (*ACTIVATIONS, signed(48, -7))):
        _, w, a, effort = nearest([kind], weights, activations)
        assert kind.accepts(w, a)
        assert (effort == 0) == kind.accepts(weights, activations)
        if effort:
            refused += 1
            message = raised(kind, weights=weights, activations=activations)
            assert message.startswith(f"{name} unit: does not take {pair_name(weights, activations)}, ")
            assert pair_name(w, a) in message
        else:
            assert (w, a) == (weights, activations)
    assert refused


def test_as_little_as_possible_is_changed():
    assert nearest([SPECS["sign"]], Ternary(), BYTES)[1:3] == (Binary(), BYTES)
    assert nearest([SPECS["quinary"]], signed(3), signed(3, 1))[1:3] == (Quinary(), signed(3))
    assert nearest([SPECS["lut"]], DoReFa(6), BYTES)[1:3] == (DoReFa(4), Uniform(bits=4, signed=False))
    assert nearest([SPECS["shift"], SPECS["multiply"]], signed(17), BYTES)[0] is MultiplySpec
