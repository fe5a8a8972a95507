from dataclasses import replace

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.choose import plane_sets, without
from rowloom.model.encodings import Binary, DoReFa, Uniform
from rowloom.model.errors import RowloomError
from tests.hw.graphs import Graph
from tests.hw.networks import Conv, Dense, Pool, make_network

CONFIG = ArrayConfig(rows=6, cols=2, lanes=8)
TWO = Uniform(bits=2, signed=False)


def mixed():
    """An 8-bit first layer, two layers of two bits with a pool between them, and a binary one."""
    specs = [
        Conv(filters=8, codes=TWO),
        Conv(filters=9, weights=DoReFa(2), codes=TWO),
        Pool(),
        Conv(filters=8, kernel=(2, 2), weights=DoReFa(2)),
        Dense(filters=3),
    ]
    return make_network(specs, shape=(12, 12, 1))


def sets(network, planes):
    return [set(names) for names in plane_sets(network, replace(CONFIG, planes=planes))]


def test_sets_to_try():
    network = mixed()
    everything = {"conv0", "conv3"}  # conv1's tensor is conv1's alone
    everything |= {"conv1"}
    assert sets(network, "never") == [set()]
    assert sets(network, "always") == [everything]
    assert sets(network, "auto") == [set(), {"conv0"}, {"conv1", "conv3"}, everything]


def test_a_tensor_that_others_read_as_codes_is_not_taken_apart():
    network = make_network([Pool(), Conv(filters=4), Dense(filters=2)], shape=(8, 8, 1), encoding=TWO)
    assert sets(network, "always") == [{"conv1"}]
    shared = [Pool(kernel=(1, 1), stride=(1, 1)), Conv(filters=4), Dense(filters=2)]
    network = make_network(shared, shape=(8, 8, 1), encoding=TWO)
    layers = [replace(layer, input="input") if layer.name == "conv1" else layer for layer in network.layers]
    assert sets(replace(network, layers=tuple(layers), outputs=("dense2", "pool0")), "always") == [set()]


def test_a_layer_that_reads_a_map_through_others_is_left_out_with_them():
    """A part that cannot be written so fast keeps the map that it is part of from being stored as planes."""
    g = Graph((6, 6, 2), TWO, weights=DoReFa(2), seed=1)
    a = g.conv("input", 4)
    b = g.shuffle(g.concat(g.conv(a, 4, (1, 1)), g.conv(a, 8, (1, 1))), 2)
    g.conv(b, 3, (1, 1), raw=True)
    network = g.network()
    names = frozenset({"conv2d1", "conv2d5"})
    assert without(network, names, "conv2d1") == {"conv2d1"}
    assert without(network, names, "conv2d0") == {"conv2d5"}


@pytest.mark.parametrize("planes", ["auto", "always", "never"])
def test_the_option_forces_the_way(planes):
    design = compile_network(mixed(), replace(CONFIG, planes=planes))
    units = [plan.unit for plan in design.layers]
    if planes == "always":
        assert units == ["xnor", "xnor", "pool", "xnor", "xnor"]
        assert [plan.planes for plan in design.layers] == [8, 4, 1, 4, 1]
        assert len(design.hardware.arrays) == 1
        assert design.choice == ""
    if planes == "never":
        assert units == ["sign", "lut", "pool", "lut", "xnor"]
        assert not design.hardware.plane_pairs
        assert design.choice == ""


def test_the_cheaper_way_is_taken_and_told():
    costs = {}
    for planes in ("auto", "always", "never"):
        design = compile_network(mixed(), replace(CONFIG, planes=planes))
        costs[planes] = design.cost.lut4 * design.cycles
    chosen = compile_network(mixed(), CONFIG)
    assert costs["auto"] <= min(costs.values())
    first, others = chosen.choice.split(", rather than ")
    assert f"{chosen.cost.lut4:,} LUT4 x {chosen.cycles:,} cycles" in first
    assert len(others.split("; ")) == 3


def test_the_cost_decides_both_ways():
    """Time on the large array is dear where the first layer is much of the work, and cheap where it is little."""
    much = [Conv(filters=8), Conv(filters=8), Dense(filters=4)]
    little = [Conv(filters=4), *[Conv(filters=40, padding=(1, 1, 1, 1))] * 3]
    for specs, planes in ((much, 1), (little, 8)):
        network = make_network(specs, shape=(12, 12, 1))
        design = compile_network(network, ArrayConfig(rows=12, cols=2, lanes=16))
        assert design.layers[0].planes == planes


def test_words_that_come_too_fast_are_left_to_a_unit():
    """Pointwise filters of one input word fill several words at once: their planes cannot be written in time."""
    specs = [
        Conv(filters=12, kernel=(1, 1), codes=Uniform(bits=8, signed=False)),
        Conv(filters=4, kernel=(1, 1)),
        Dense(filters=2),
    ]
    network = make_network(specs, shape=(6, 6, 2), encoding=Binary())
    design = compile_network(network, ArrayConfig(rows=12, cols=1, lanes=2, drains=2, planes="always"))
    assert [plan.planes for plan in design.layers] == [1, 1, 1]
    assert design.layers[1].unit == "sign"
    slower = compile_network(network, ArrayConfig(rows=2, cols=1, lanes=2, drains=2, planes="always"))
    assert slower.layers[1].planes == 8
    assert slower.layers[0].fold.bubbles == 8 - slower.layers[0].fold.accumulation


def test_planes_run_what_no_unit_can():
    network = make_network([Conv(filters=2, dilation=(2, 1)), Conv(filters=2)], shape=(8, 8, 2))
    with pytest.raises(RowloomError, match=r"^conv0: a 3 x 3 window with dilation 2"):
        compile_network(network, replace(CONFIG, planes="never"))
    assert [plan.unit for plan in compile_network(network, CONFIG).layers] == ["xnor", "xnor"]


def test_utilization_counts_products_of_single_bits():
    design = compile_network(mixed(), replace(CONFIG, planes="always"))
    first = design.layers[0]
    assert first.utilization == 8 * first.macs / (first.cycles * CONFIG.peak)
    total = sum(plan.planes * plan.macs for plan in design.layers)
    assert np.isclose(design.utilization, total / (design.cycles * CONFIG.peak), rtol=0, atol=0)
    assert design.macs == sum(plan.macs for plan in design.layers)
