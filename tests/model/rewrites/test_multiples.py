"""Sums of maps through tables, as multiples: every pair of codes."""

import numpy as np
import pytest

from rowloom.model.arith import multiply_by_quantized_multiplier, requantize
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize, Thresholds
from rowloom.model.rewrites.multiples import MAX_BITS, multipliers, with_multiples

CODES = np.arange(-128, 128)


def rescaled(rng, zero_point):
    """Table of an input as the reference kernels rescale it: 20 bits up, then by a multiplier below 1, rounded."""
    multiplier = int(rng.integers(1 << 30, 1 << 31))
    return multiply_by_quantized_multiplier((CODES - zero_point) << 20, multiplier, -int(rng.integers(0, 3)))


def network_of(tables, zero_points, post, output):
    """All 65,536 pairs of codes as a map: the sum of x and y, one channel."""
    encodings = [Uniform(bits=8, signed=True, zero_point=z) for z in zero_points]
    tensors = (
        Tensor(name="x", shape=(1, 1, 1), encoding=encodings[0]),
        Tensor(name="y", shape=(1, 1, 1), encoding=encodings[1]),
        Tensor(name="z", shape=(1, 1, 1), encoding=output),
    )
    first = Add.scaled(
        name="copy", inputs=("x",), output="y", encodings=encodings[:1], multipliers=[1],
        post=Thresholds(values=np.arange(-127, 128)[None] - zero_points[0], direction=[1]),
    )  # fmt: skip
    total = Add(name="sum", inputs=("x", "y"), output="z", tables=tables, post=post)
    return Network(name="sum", tensors=tensors, layers=(first, total), input="x", outputs=("z",))


def codes_of(layer, output):
    """Output code of every pair of codes."""
    first, second = layer.tables
    sums = (first[:, None] + second[None]).reshape(-1)
    if isinstance(layer.post, Thresholds):
        direction = int(layer.post.direction[0])
        return output.code_min + (direction * sums[:, None] >= layer.post.values[0]).sum(1)
    return requantize(
        sums[:, None], multiplier=layer.post.multiplier, shift=layer.post.shift,
        zero_point=layer.post.output_zero_point, code_min=output.code_min, code_max=output.code_max,
    )[:, 0]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_every_pair_of_codes_gives_the_same_code(seed):
    rng = np.random.default_rng(seed)
    zero_points = rng.integers(-128, 60, 2).tolist()
    output = Uniform(bits=8, signed=True, zero_point=int(rng.integers(-128, 40)))
    post = Requantize(
        multiplier=[int(rng.integers(1 << 30, 1 << 31))], shift=[-18], output_zero_point=output.zero_point
    )
    network = network_of(tuple(rescaled(rng, z) for z in zero_points), zero_points, post, output)
    given, made = network.layers[1], with_multiples(network).layers[1]
    encodings = [network.tensor(name).encoding for name in given.inputs]
    assert multipliers(given, encodings) is None
    scales, constant = multipliers(made, encodings)
    assert max(abs(scale) for scale in scales) < 1 << MAX_BITS
    assert constant == 0
    want = codes_of(given, output)
    assert len(np.unique(want)) > 100
    assert np.array_equal(codes_of(made, output), want)


def test_falling_thresholds_too():
    rng = np.random.default_rng(3)
    output = Uniform(bits=4, signed=False)
    tables = tuple(rescaled(rng, 0) for _ in range(2))
    values = np.sort(rng.integers(-1 << 27, 1 << 27, (1, 15)), axis=1)
    network = network_of(tables, [0, 0], Thresholds(values=values, direction=[-1]), output)
    given, made = network.layers[1], with_multiples(network).layers[1]
    want = codes_of(given, output)
    assert len(np.unique(want)) > 10
    assert made.post.direction.tolist() == [-1]
    assert np.array_equal(codes_of(made, output), want)


def test_multiples_stay_as_they_are():
    encoding = Uniform(bits=8, signed=True)
    layer = Add.scaled(
        name="sum", inputs=("x", "x"), output="z", encodings=[encoding] * 2, multipliers=[3, 5], post=None
    )
    tensors = (
        Tensor(name="x", shape=(1, 1, 1), encoding=encoding),
        Tensor(name="z", shape=(1, 1, 1), encoding=Uniform(bits=16, signed=True)),
    )
    network = Network(name="n", tensors=tensors, layers=(layer,), input="x", outputs=("z",))
    assert with_multiples(network) is network


def test_tables_without_order_are_refused():
    rng = np.random.default_rng(0)
    output = Uniform(bits=8, signed=True)
    tables = tuple(rng.integers(-1000, 1000, 256) for _ in range(2))
    post = Thresholds(values=np.arange(-1270, 1280, 10)[None], direction=[1])
    with pytest.raises(
        RowloomError, match=r"^sum: adds by tables that are no multiples of the values of up to 17 bits$"
    ):
        with_multiples(network_of(tables, [0, 0], post, output))
