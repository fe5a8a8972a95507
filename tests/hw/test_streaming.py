"""Accelerators whose weights come while images are computed."""

from functools import cache

import pytest

from rowloom.hw import ArrayConfig, compile_for, compile_together
from rowloom.hw import compile as compile_network
from rowloom.model.errors import DoesNotFit, RowloomError
from rowloom.sim import simulate, simulate_programs
from tests.hw.networks import Conv, Dense, Pool, make_network
from tests.hw.test_overlay import PAD, binary, config, depthwise, images, larger, straight


def wide():
    """Layers of many filters."""
    specs = [
        Conv(filters=24, padding=PAD),
        Pool(),
        Conv(filters=30, padding=PAD, bias=True),
        Conv(filters=40),
        Dense(filters=50),
        Dense(filters=9),
    ]
    return make_network(specs, shape=(12, 10, 2), seed=21)


#: Network, words of a weight memory, bits of the port, bits a cycle; and what else is special.
CASES = {
    "a layer at a time": (binary, 80, 64, 8, {"planes": "never"}),
    "the smallest stay": (wide, 700, 8, 8, {"planes": "never"}),
    "slow": (binary, 100, 8, 1, {}),
    "parts": (wide, 200, 16, 8, {}),
    "vector path": (depthwise, 170, 16, 16, {}),
    "no prefetch": (larger, 300, 32, 32, {"prefetch": False}),
}  # fmt: skip

#: Those of them that are co-simulated in the plain run.
PLAIN = ("the smallest stay", "parts", "vector path")


@cache
def design(name):
    make, depth, load_bits, stream, changed = CASES[name]
    return compile_network(make(), config(load_bits=load_bits, weight_stream=stream, weight_depth=depth, **changed))


def test_the_cases_differ_in_what_is_streamed():
    for name in CASES:
        engines = (*design(name).hardware.arrays, *design(name).hardware.vectors)
        assert max(engine.weight_depth for engine in engines) == CASES[name][1], name
        assert design(name).images.stream, name
    assert any(section.lead for section in design("parts").images.stream)
    assert not all(section.lead for section in design("a layer at a time").images.stream)
    assert any("/" in plan.name for plan in design("parts").layers)
    summing = [plan for plan in design("the smallest stay").layers if plan.unit == "xnor"]
    assert len(design("the smallest stay").images.stream) < len(summing)
    assert any(plan.stall for plan in design("slow").layers)
    assert any(section.engine >= len(design("vector path").hardware.arrays) for section in
               design("vector path").images.stream)  # fmt: skip


@pytest.mark.cocotb
@pytest.mark.parametrize(
    "name", [each if each in PLAIN else pytest.param(each, marks=pytest.mark.slow) for each in CASES]
)
def test_matches_golden_and_the_cycle_model_in_every_image(name):
    found = design(name)
    result = simulate(found, images(found.network, 4))
    assert result.ok, result.summary()
    assert [layer.cycles_measured for layer in result.layers] == list(found.layer_cycles(4)[-1])


@pytest.mark.cocotb
@pytest.mark.parametrize("name", ["the smallest stay", "parts"])
def test_pauses_change_no_value(name):
    found = design(name)
    result = simulate(found, images(found.network, 3), stalls=True, seed=2)
    assert result.ok, result.summary()


@pytest.mark.cocotb
def test_networks_that_are_streamed_follow_each_other():
    shared = config(load_bits=16, weight_stream=8, weight_depth=200)
    programs = compile_together([larger(), binary(), wide()], shared)
    assert [bool(each.images.stream) for each in programs] == [True, False, True]
    programs = (*programs, programs[0])
    results = simulate_programs([(each, images(each.network, 2)) for each in programs])
    for result in results:
        assert result.ok, result.summary()


@pytest.mark.cocotb
def test_a_network_that_finds_no_room_is_streamed_through_what_was_built():
    built = compile_network(larger(), config(load_bits=16, weight_stream=8, weight_depth=200)).built
    specs = [
        Conv(filters=10, padding=PAD),
        Conv(filters=20, padding=PAD),
        Pool(),
        Conv(filters=30, kernel=(2, 3)),
        Dense(filters=10),
    ]
    found = compile_for(make_network(specs, shape=(14, 11, 3), seed=9), built)
    assert found.hardware == built.hardware
    assert found.images.stream
    result = simulate(found, images(found.network))
    assert result.ok, result.summary()


def test_a_layer_in_parts_computes_what_it_does_whole():
    found = design("parts")
    parts = [part for part in found.parts.values() if part.whole == "conv3"]
    assert [(part.first, part.stop) for part in parts] == [(0, 16), (16, 32), (32, 40)]
    kept = found.with_parts(found.network.run(images(found.network), keep="all"))
    assert {name for name in kept if name.startswith("conv3/")} == {"conv3/0", "conv3/1", "conv3/2"}


def test_a_word_of_filters_that_finds_no_room_is_told_with_numbers():
    small = config(load_bits=8, weight_stream=8, weight_depth=40)
    with pytest.raises(
        DoesNotFit, match=r"has 80 words of weights in each row of the xnor array, there is room for 40"
    ):
        compile_network(binary(), small)


def test_weights_that_fit_are_not_streamed():
    found = compile_network(straight(), config(load_bits=8, weight_stream=8, weight_depth=4000))
    alone = compile_network(straight(), config(load_bits=8))
    assert not found.images.stream
    assert found.images.weights == alone.images.weights
    assert [plan.cycles for plan in found.layers] == [plan.cycles for plan in alone.layers]


def test_losses_tell_of_waiting():
    waiting = [plan for plan in design("slow").layers if plan.stall]
    for plan in waiting:
        assert plan.losses.weights == plan.stall / plan.cycles
        shares = plan.losses.to_json()
        assert sum(shares.values()) + plan.utilization == pytest.approx(1)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"weight_stream": 8}, "weight_depth: must be a positive integer, not 0"),
        ({"weight_depth": 8}, "weight_stream: must be a positive integer, not 0"),
        ({"weight_stream": 3, "weight_depth": 9, "load_bits": 8}, r"weight_stream: must divide load_bits \(8\), not 3"),
        ({"weight_stream": 8, "weight_depth": 9}, r"weight_stream: must divide load_bits \(0\), not 8"),
    ],
)
def test_a_stream_needs_a_port_and_memories(changed, text):
    with pytest.raises(RowloomError, match=f"^{text}"):
        ArrayConfig(rows=1, cols=1, lanes=1, **changed)
