import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cost import _UNITS, Bram, estimate, memories
from rowloom.model.encodings import Uniform
from tests.hw.machines import array_parameters
from tests.hw.networks import Conv, Dense, make_network

NETWORK = make_network([Conv(filters=24), Conv(filters=48), Dense(filters=10)], shape=(16, 16, 1))


def cost(rows, cols, lanes):
    return estimate(compile_network(NETWORK, ArrayConfig(rows=rows, cols=cols, lanes=lanes)).hardware)


@pytest.mark.parametrize(
    ("small", "large"),
    [((3, 1, 8), (6, 1, 8)), ((6, 1, 8), (12, 1, 8)), ((6, 2, 8), (6, 2, 16)), ((6, 2, 16), (6, 4, 16))],
    ids=["rows", "more-rows", "lanes", "columns"],
)
def test_a_larger_array_costs_more(small, large):
    less, more = cost(*small), cost(*large)
    assert less.lut4 < more.lut4
    assert less.ff < more.ff


def test_a_cost_is_whole_cells():
    made = cost(3, 1, 8)
    assert all(isinstance(value, int) and value >= 0 for value in (made.lut4, made.ff, made.bram, made.dsp))


@pytest.mark.parametrize(
    ("width", "depth", "blocks"), [(36, 512, 1), (36, 513, 2), (37, 512, 2), (1, 18_432, 2), (1, 16_384, 1)]
)
def test_blocks_of_a_memory(width, depth, blocks):
    assert Bram(bits=18_432, width=36).blocks(width, depth) == blocks


def test_every_array_has_its_weight_memory():
    """Two arrays of one unit too: none is forgotten."""
    wide = Uniform(bits=8, signed=True)
    specs = [
        Conv(filters=6, weights=wide, codes=Uniform(bits=4, signed=False)),
        Conv(filters=6, weights=wide, codes=Uniform(bits=3, signed=False)),
        Dense(filters=4, weights=wide),
    ]
    config = ArrayConfig(rows=6, cols=1, lanes=8, logic_bits=0)
    hardware = compile_network(make_network(specs, shape=(9, 9, 2)), config).hardware
    found = {name: size for name, size in memories(hardware).items() if name.startswith("weights")}
    assert list(found) == ["weights of multiply", "weights of multiply 2", "weights of multiply 3"]
    assert sorted(depth for _, _, depth in found.values()) == sorted(array.weight_depth for array in hardware.arrays)


@pytest.mark.parametrize(("bits", "measured"), [(2, 8.59), (4, 20.62), (8, 32.62)])
def test_an_adder_unit_is_estimated_as_it_is_built(bits, measured):
    """LUT4 a lane of 32 on ECP5 against `python -m tests.rowloom.prices`, within a tenth."""
    array = array_parameters(
        unit="adder", weights=Uniform(bits=bits, signed=True), activations=Uniform(bits=bits, signed=False)
    )
    assert _UNITS["adder"](32, array) / 32 == pytest.approx(measured, rel=0.1)
