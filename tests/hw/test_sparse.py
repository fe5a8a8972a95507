"""Words of weights that are all zero are left out, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest

import rowloom
from rowloom.hw import ArrayConfig
from rowloom.model.encodings import Binary, Codebook, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.layers import Conv2d
from rowloom.model.network import Network, Tensor
from tests.hw.exact import assert_exact
from tests.hw.graphs import Graph
from tests.hw.networks import SUMS

NARROW = Uniform(bits=2, signed=False)
ARRAYS = {
    "4x2x4": ArrayConfig(rows=4, cols=2, lanes=4),
    "6x3x5-one-chain": ArrayConfig(rows=6, cols=3, lanes=5, drains=1, prefetch=False),
}


def pruned(weights, encoding=NARROW, density=0.25):
    """Padding, strides, dilation, a kernel taller than a group, a dense layer that is not pruned, and a pool."""
    g = Graph((11, 9, 6), encoding, weights=weights, seed=3)
    a = g.conv("input", 10, (3, 3), padding=(1, 1, 1, 1), density=density)
    b = g.conv(a, 7, (5, 2), stride=(2, 1), padding=(2, 2, 0, 1), density=density)
    c = g.conv(g.pool(b, stride=(1, 1)), 9, (2, 2), dilation=(1, 2), density=density)
    g.dense(c, 5, raw=True)
    return g.network()


CASES = {
    "ternary": (Ternary(), NARROW),
    "quinary": (Quinary(), NARROW),
    "shift": (PowerOfTwo(bits=3, e_min=0, e_max=2), NARROW),
    "multiply": (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False, zero_point=3)),
    "lut": (Codebook((-3, 0, 1, 5)), NARROW),
}


def one_layer(kernel):
    """A filter over 6 x 6 pixels of one channel."""
    layer = Conv2d(
        name="conv", input="input", output="sums", weights=np.reshape(kernel, (1, 3, 3, 1)), weight_encoding=Ternary()
    )
    tensors = [
        Tensor(name="input", shape=(6, 6, 1), encoding=NARROW),
        Tensor(name="sums", shape=(4, 4, 1), encoding=SUMS),
    ]
    return Network(name="one", tensors=tensors, layers=[layer], input="input", outputs=["sums"])


@pytest.mark.cocotb
@pytest.mark.parametrize(
    ("case", "array"),
    [
        pytest.param(case, array, marks=[pytest.mark.slow] if (i + j) % 2 else [])
        for i, case in enumerate(CASES)
        for j, array in enumerate(ARRAYS)
    ],
)
def test_matches_golden_and_the_cycle_model(case, array):
    network = pruned(*CASES[case])
    design = rowloom.compile(network, ARRAYS[array])
    assert sum(layer.skipped > 0 for layer in design.layers) >= 2
    whole = rowloom.compile(network, replace(ARRAYS[array], sparse=False))
    assert whole.hardware.skips is None
    for layer, other in zip(design.layers, whole.layers, strict=True):
        assert layer.cycles < other.cycles if layer.skipped else layer.fold == other.fold
    encoding = CASES[case][1]
    codes = np.random.default_rng(5).integers(encoding.code_min, encoding.code_max + 1, (3, 11, 9, 6))
    assert_exact(design, codes, stalls=array != "4x2x4")


def test_words_are_counted():
    """A filter of one tap in nine: with one row, eight of nine words are left out for each of 16 pixels."""
    design = rowloom.compile(one_layer([[0, 0, 0], [0, 0, 1], [0, 0, 0]]), ArrayConfig(rows=1, cols=1, lanes=1))
    (layer,) = design.layers
    assert (layer.skipped, layer.fold.issue_cycles) == (16 * 8, 16)
    assert len(design.images.skips) == len(design.images.weights[0][0]) == 1


def test_a_block_keeps_what_its_drain_needs():
    """Filters of zeros keep as many words as their sums take to leave."""
    design = rowloom.compile(one_layer(np.zeros((3, 3), int)), ArrayConfig(rows=3, cols=1, lanes=1, drains=1, group=1))
    fold = design.layers[0].fold
    assert (fold.blocks, fold.steps, fold.skipped, fold.bubbles) == (1, 3, 9 - 3, 0)


def test_layers_that_save_little_keep_their_loops():
    design = rowloom.compile(pruned(Ternary(), density=0.98), ARRAYS["4x2x4"])
    assert design.hardware.skips is None
    assert not design.images.skips


@pytest.mark.cocotb
@pytest.mark.parametrize("load_bits", [0, 32])
def test_beside_layers_on_bit_planes(load_bits):
    """Blocks that are left out in part are of any length, where planes go back to the start of theirs."""
    moved = Uniform(bits=2, signed=False, zero_point=1)  # is not taken apart
    g = Graph((8, 8, 2), moved, weights=Binary(), seed=3)
    a = g.conv("input", 5, (1, 4), padding=(0, 0, 1, 3), weights=Ternary(), density=0.4, codes=NARROW)
    g.dense(g.conv(g.pool(a, (1, 2)), 4, (2, 1)), 3, raw=True)
    array = ArrayConfig(rows=3, cols=2, lanes=4, planes="always", load_bits=load_bits)
    design = rowloom.compile(g.network(), array)
    assert [layer.skipped > 0 for layer in design.layers] == [True, False, False, False]
    assert [layer.planes for layer in design.layers] == [1, 1, 2, 1]
    codes = np.random.default_rng(5).integers(0, 4, (3, 8, 8, 2))
    assert_exact(design, codes)
