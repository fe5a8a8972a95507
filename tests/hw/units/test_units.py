import pytest
from amaranth.hdl import Fragment

from rowloom.hw.units import SPECS, make_unit, unit_for
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError


def test_the_table_names_a_unit_for_each_pair_of_encodings():
    assert unit_for(Binary(), Binary()).NAME == "xnor"
    assert unit_for(Binary(), Uniform(bits=8, signed=False)).NAME == "sign"


def test_a_pair_without_a_unit_is_refused():
    with pytest.raises(RowloomError, match=r"^Uniform\(.*\) weights x Binary\(\) activations: no arithmetic unit"):
        unit_for(Uniform(bits=8, signed=True), Binary())


@pytest.mark.parametrize("name", SPECS)
def test_every_unit_of_the_table_can_be_made(name):
    unit = make_unit(name, lanes=3, activation_bits=2 if name == "sign" else 1)
    Fragment.get(unit, None)
    assert unit.SPEC is SPECS[name]
    assert unit.latency == SPECS[name].latency(3)
