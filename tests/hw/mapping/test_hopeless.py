"""Ways to run a network that are not worth compiling."""

from dataclasses import replace

import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping import compile as compiling
from rowloom.hw.mapping.hopeless import TIMES, is_hopeless
from rowloom.model.encodings import Uniform
from tests.hw.networks import Conv, Dense, make_network

CONFIG = ArrayConfig(rows=6, cols=2, lanes=8, planes="never")


def network(bits):
    codes = Uniform(bits=bits, signed=False)
    weights = Uniform(bits=bits, signed=True)
    specs = [Conv(filters=8, codes=codes, weights=weights), Conv(filters=8, weights=weights), Dense(filters=3)]
    return make_network(specs, shape=(12, 12, 8), encoding=codes)


@pytest.mark.parametrize(("bits", "hopeless"), [(2, False), (8, True)])
def test_eight_bits_as_planes_are_hopeless_and_two_are_not(bits, hopeless):
    """And what is called hopeless is so much worse, once it is compiled."""
    given = network(bits)
    units = compile_network(given, CONFIG)
    names = frozenset({"conv0", "conv1"})
    assert is_hopeless(given, CONFIG, units.hardware.banks, names, units) == hopeless
    planes = compile_network(given, replace(CONFIG, planes="always"))
    assert planes.layers[0].planes > 1
    worse = planes.cost.lut4 * planes.cycles > TIMES * units.cost.lut4 * units.cycles
    assert worse or not hopeless


def test_what_is_hopeless_is_not_compiled(monkeypatch):
    tried = []
    map_network = compiling.map_network
    monkeypatch.setattr(compiling, "map_network", lambda *given: tried.append(set(given[2])) or map_network(*given))
    design = compile_network(network(8), replace(CONFIG, planes="auto"))
    assert tried == [set()]
    assert design.choice == ""
