"""One accelerator that is loaded with one network after the other."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rowloom.hw import ArrayConfig, compile_for, compile_together
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Ternary, Uniform
from rowloom.sim import simulate, simulate_programs
from rowloom.sim.cosimulation import accelerator_verilog
from tests.hw.graphs import Graph, byte
from tests.hw.networks import Conv, Dense, Pool, make_network, random_codes

PAD = (1, 1, 1, 1)
QUADS = Uniform(bits=2, signed=False)
OCTETS = Uniform(bits=3, signed=False)
INT8 = Uniform(bits=8, signed=True)


def binary():
    """Windows of the input, padding with the half bit, a pool, raw sums."""
    specs = [Conv(filters=9, padding=PAD), Pool(), Conv(filters=13, padding=PAD, bias=True), Dense(filters=7)]
    return make_network(specs, shape=(12, 10, 1), seed=2)


def ternary():
    """Wider codes with thresholds anywhere, on other maps; its codes leave."""
    specs = [
        Conv(filters=6, weights=Ternary(), codes=OCTETS, padding=PAD),
        Conv(filters=5, kernel=(2, 2), weights=Ternary(), codes=OCTETS, bias=True),
        Dense(filters=4, weights=Ternary(), codes=OCTETS),
    ]
    return make_network(specs, shape=(5, 9, 2), seed=3, raw=False)


def larger():
    """One layer more than :func:`binary`, and larger in all."""
    specs = [
        Conv(filters=20, padding=PAD),
        Conv(filters=20, padding=PAD),
        Pool(),
        Conv(filters=30, kernel=(2, 3)),
        Dense(filters=11),
    ]
    return make_network(specs, shape=(14, 12, 3), seed=5, argmax=True)


def straight():
    """Thresholds on lines."""
    specs = [
        Conv(filters=6, weights=Ternary(), codes=OCTETS, padding=PAD, post="line"),
        Dense(filters=4, weights=Ternary(), codes=OCTETS, post="line"),
    ]
    return make_network(specs, shape=(7, 6, 2), seed=6, raw=False)


def bent():
    """Lines with more fraction bits, and two starts."""
    codes = Uniform(bits=4, signed=True, zero_point=1)
    specs = [Conv(filters=6, weights=Ternary(), codes=codes, post="requantize-middle"), Dense(filters=5, weights=INT8)]
    return make_network(specs, shape=(6, 6, 3), seed=7)


def mended():
    """Single sums beside their lines, and halves that are rounded to even."""
    specs = [
        Conv(filters=6, weights=Ternary(), codes=OCTETS, post="beside"),
        Dense(filters=7, weights=Ternary(), codes=OCTETS, post="even"),
    ]
    return make_network(specs, shape=(6, 6, 2), seed=9, raw=False)


def planes():
    """Runs as bit planes where all that can do."""
    specs = [Conv(filters=5, weights=Ternary(), codes=QUADS, padding=PAD), Dense(filters=3, weights=Ternary())]
    return make_network(specs, shape=(6, 6, 1), seed=8)


def branches():
    """Zero points, a depthwise layer, a sum of maps, words of zeros that are left out."""
    g = Graph((8, 6, 8), byte(9), weights=INT8, seed=3)
    one = g.conv("input", 8, padding=PAD)
    two = g.depthwise(one, padding=PAD)
    g.dense(g.add(one, two, multipliers=(2, 3)), 5, raw=True)
    return g.network()


def integers():
    """No branch, and a zero point of its own."""
    g = Graph((6, 8, 3), byte(4), weights=INT8, seed=4)
    g.dense(g.conv("input", 12), 6)
    return g.network()


def depthwise():
    """One depthwise layer after the other, so that the vector path has lanes of its own."""
    g = Graph((9, 9, 16), byte(3), weights=INT8, seed=6)
    one = g.depthwise(g.conv("input", 16, (1, 1)), padding=PAD)
    two = g.depthwise(one, padding=PAD)
    g.dense(g.average(two, (9, 9)), 4, raw=True)
    return g.network()


#: Networks that share an accelerator, and what of its configuration is special.
TOGETHER = {
    "binary": ([binary, larger, ternary], {"load_bits": 8}),
    "planes": ([planes, binary, ternary], {"load_bits": 32, "planes": "always"}),
    "lines": ([straight, bent, mended, binary], {"load_bits": 8}),
    "integers": ([branches, integers], {"load_bits": 16}),
    "own lanes": ([depthwise, branches], {"load_bits": 32, "lanes": 16, "drains": 1}),
    "single port": ([ternary, larger], {"load_bits": 8, "single_port": True}),
    "no prefetch": ([binary, ternary], {"load_bits": 64, "prefetch": False}),
}  # fmt: skip

#: Those of them that are co-simulated in the plain run.
PLAIN = ("binary", "lines", "integers", "single port")


def config(**changed):
    return ArrayConfig(**{"rows": 6, "cols": 2, "lanes": 8, "drains": 2, "input_lanes": 4} | changed)


@cache
def designs(name):
    makers, changed = TOGETHER[name]
    return compile_together([make() for make in makers], config(**changed))


def images(network, count=3, seed=0):
    tensor = network.tensor(network.input)
    return random_codes(np.random.default_rng(seed), tensor.encoding, (count, *tensor.shape))


def check(results, programs):
    for result, design in zip(results, programs, strict=True):
        assert result.ok, f"{design.network.name}: {result.summary()}"
        assert [layer.cycles_measured for layer in result.layers] == [plan.cycles for plan in design.layers]


@pytest.mark.parametrize("name", TOGETHER)
def test_networks_share_one_accelerator(name):
    together = designs(name)
    assert len({(text, *contents.items()) for text, contents, _ in map(accelerator_verilog, together)}) == 1
    assert len({design.images for design in together}) == len(together)


def test_the_networks_differ_in_what_is_built():
    hw = designs("binary")[0].hardware
    assert hw.levels == 3
    assert hw.line is None  # thresholds lie anywhere
    assert [array.unit for array in hw.arrays] == ["sign", "xnor", "ternary", "ternary"]
    assert len(hw.result_codes) == 1
    hw = designs("lines")[0].hardware
    alone = compile_network(straight(), config()).hardware.line
    assert hw.line.bent > alone.bent
    assert hw.line.fraction > alone.fraction
    assert hw.line.mends > alone.mends
    assert len(hw.result_codes) == 1
    hw = designs("planes")[0].hardware
    assert hw.plane_pairs
    assert hw.input_planes
    hw = designs("integers")[0].hardware
    assert hw.vectors
    assert hw.pad_bits == 8
    assert designs("own lanes")[0].hardware.extra
    assert compile_network(integers(), config(lanes=16, drains=1)).hardware.extra is None


@pytest.mark.cocotb
@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
@pytest.mark.parametrize(
    "name", [each if each in PLAIN else pytest.param(each, marks=pytest.mark.slow) for each in TOGETHER]
)
def test_networks_follow_each_other_without_a_reset(name, stalls):
    together = designs(name)
    programs = [*together, together[0]]
    results = simulate_programs([(d, images(d.network, seed=i)) for i, d in enumerate(programs)], stalls=stalls, seed=1)
    check(results, programs)


@pytest.mark.cocotb
def test_starts_alone_with_the_network_that_it_was_built_with():
    first, second, _ = designs("binary")
    programs = [first, second]
    check(simulate_programs([(d, images(d.network)) for d in programs], filled=True), programs)


@pytest.mark.cocotb
def test_a_network_that_comes_later_runs_on_what_was_built():
    built = designs("binary")[0].built
    specs = [Conv(filters=7, kernel=(2, 2), padding=(1, 0, 0, 1)), Dense(filters=9)]
    design = compile_for(make_network(specs, shape=(9, 9, 1), seed=11), built)
    assert design.hardware == built.hardware
    result = simulate(design, images(design.network), stalls=True)
    check([result], [design])


@pytest.mark.cocotb
def test_a_network_gives_up_prefetching_for_memory():
    built = designs("binary")[0].built
    needs = compile_network(binary(), config(prefetch=False)).hardware.bank_depth
    small = replace(built, hardware=replace(built.hardware, bank_depth=needs))
    assert needs < compile_network(binary(), config()).hardware.bank_depth
    design = compile_for(binary(), small)
    assert not design.config.prefetch
    check([simulate(design, images(design.network))], [design])
