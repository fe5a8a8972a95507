import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.inserts import with_inserts
from rowloom.model.encodings import Binary, PowerOfTwo, Quinary, Ternary, Uniform
from tests.hw.graphs import Graph

CONFIG = ArrayConfig(rows=6, cols=2, lanes=4)
NARROW = Uniform(bits=2, signed=False)


def inserted(network):
    """Layers that were put in; the network with them computes the same."""
    made = with_inserts(network, CONFIG)
    source = network.tensor("input")
    codes = np.random.default_rng(0).integers(
        source.encoding.code_min, source.encoding.code_max + 1, (3, *source.shape)
    )
    want, got = network.run(codes, keep="all"), made.run(codes, keep="all")
    for name, values in want.items():
        assert np.array_equal(got[name], values), name
    return [layer for layer in made.layers if layer.name not in {each.name for each in network.layers}]


def test_a_network_that_needs_nothing_stays_as_it_is():
    g = Graph((6, 6, 4), NARROW, weights=Ternary(), seed=0)
    a = g.conv("input", 6)
    g.conv(g.concat(a, g.pool(g.conv(a, 3, (1, 1)), (1, 1))), 4, raw=True)
    network = g.network()
    assert with_inserts(network, CONFIG) is network


def test_a_part_that_is_used_twice_is_copied_once():
    g = Graph((6, 6, 4), NARROW, weights=Ternary(), seed=0)
    a = g.conv("input", 6)
    g.conv(g.concat(a, a), 4, raw=True)
    (copy,) = inserted(g.network())
    assert (copy.op, copy.input, copy.factor) == ("upsample", a, 1)


@pytest.mark.parametrize(
    ("encoding", "weights", "given"),
    [
        (NARROW, Quinary(), Quinary()),
        (Uniform(bits=3, signed=True, zero_point=1), Uniform(bits=3, signed=True), Uniform(bits=3, signed=True)),
        (Binary(), Binary(), Ternary()),
    ],
    ids=["quinary", "integers", "binary"],
)
def test_channels_are_moved_by_weights_that_are_there(encoding, weights, given):
    """The unit of another layer is taken, if it has a weight of 0; else ternary weights."""
    g = Graph((6, 6, 4), encoding, weights=weights, seed=0)
    a = g.conv("input", 8)
    b = g.pool(a)
    g.dense(g.add(b, g.shuffle(b, 2), multipliers=(1, 1)), 4, raw=True)
    (moved,) = inserted(g.network())
    assert (moved.op, moved.weight_encoding) == ("conv2d", given)
    assert (given.decode(moved.weights) != 0).sum() == 8


@pytest.mark.parametrize(
    ("narrow", "wide", "common"),
    [
        (Uniform(bits=2, signed=False), Uniform(bits=4, signed=False), Uniform(bits=4, signed=False)),
        (Ternary(), Uniform(bits=2, signed=True), Uniform(bits=2, signed=True)),
        (Binary(), Uniform(bits=3, signed=False), Uniform(bits=3, signed=False, zero_point=1)),
        (Uniform(bits=3, signed=True), Uniform(bits=3, signed=False), Uniform(bits=3, signed=False, zero_point=4)),
        (Binary(), Ternary(), Ternary()),
    ],
    ids=["wider", "ternary", "binary", "signed", "kinds"],
)
def test_unlike_codes_are_brought_to_the_narrowest_that_holds_both(narrow, wide, common):
    g = Graph((5, 5, 4), wide, weights=Ternary(), seed=0)
    a = g.conv("input", 6, codes=narrow)
    b = g.conv("input", 6)
    g.dense(g.add(a, b, multipliers=(3, -2)), 4, raw=True)
    network = g.network()
    (made,) = inserted(network)
    assert made.inputs == (a,)
    assert with_inserts(network, CONFIG).tensor(made.output).encoding == common


def test_codes_in_no_order_become_integers():
    powers = PowerOfTwo(bits=3, e_min=0, e_max=2)
    g = Graph((5, 5, 4), powers, weights=powers, seed=0)
    a = g.conv("input", 4, (1, 1), codes=NARROW)
    g.average(g.add("input", a, multipliers=(1, 2), codes=NARROW), (5, 5), raw=True)
    network = g.network()
    made = inserted(network)
    found = {with_inserts(network, CONFIG).tensor(layer.output).encoding for layer in made}
    assert found == {Uniform(bits=4, signed=False, zero_point=zero) for zero in (0, 4)}
