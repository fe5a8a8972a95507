"""The adder operation of the golden model against its definition, tap by tap."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowloom.model.bounds import channel_bounds, magnitude_bound
from rowloom.model.distances import BLOCK, DistanceSums
from rowloom.model.encodings import Binary, Codebook, PowerOfTwo, Ternary, Uniform
from rowloom.model.layers import Conv2d, Linear
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Thresholds

BYTES = Uniform(bits=8, signed=False)
NIBBLES = Uniform(bits=4, signed=True)
WIDE = Uniform(bits=40, signed=True)


def single(layer, shape, source, target=WIDE):
    tensors = (
        Tensor(name="a", shape=shape, encoding=source),
        Tensor(name="b", shape=layer.output_shape(shape), encoding=target),
    )
    return Network(name="single", tensors=tensors, layers=(layer,), input="a", outputs=("b",))


def conv(weights, encoding, **fields):
    return Conv2d(
        name="c", input="a", output="b", weights=weights, weight_encoding=encoding, operation=Operation.ADDER, **fields
    )


def random_codes(rng, encoding, shape):
    codes = rng.integers(encoding.code_min, encoding.code_max + 1, shape)
    codes.flat[:2] = encoding.code_min, encoding.code_max
    return codes


def defined_sums(layer, x):
    """The sums of values [N, H, W, C], one Python integer after the other."""
    weights = layer.weight_encoding.decode(layer.weights)
    count, rows, columns, _ = x.shape
    height, width, filters = layer.output_shape(x.shape[1:])
    group = filters // layer.groups
    sums = np.zeros((count, height, width, filters), np.int64)
    for n, e, f, m in np.ndindex(sums.shape):
        total = 0 if layer.bias is None else int(layer.bias[m])
        for r, s, c in np.ndindex(weights.shape[1:]):
            y = e * layer.stride[0] + r * layer.dilation[0] - layer.padding[0]
            z = f * layer.stride[1] + s * layer.dilation[1] - layer.padding[2]
            w = int(weights[m, r, s, c])
            if 0 <= y < rows and 0 <= z < columns:
                total -= abs(int(x[n, y, z, m // group * weights.shape[3] + c]) - w)
            elif layer.pad_value is not None:
                total -= abs(layer.pad_value - w)
        sums[n, e, f, m] = total
    return sums


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("source", "weight"),
    [
        (BYTES, Uniform(bits=8, signed=True)),
        (NIBBLES, NIBBLES),
        (Ternary(), Binary()),
        (Uniform(bits=5, signed=False, zero_point=-17), Uniform(bits=3, signed=False, zero_point=2)),
    ],
)
@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"padding": (1, 1, 1, 1)},
        {"padding": (1, 1, 1, 1), "pad_value": 0},
        {"padding": (2, 0, 1, 0), "stride": (2, 1), "pad_value": -3},
        {"padding": (0, 1, 2, 2), "stride": (1, 3), "dilation": (1, 2)},
    ],
)
def test_convolution_equals_the_definition(geometry, source, weight, groups):
    rng = np.random.default_rng(3)
    codes = random_codes(rng, weight, (4, 3, 3, 4 // groups))
    layer = conv(codes, weight, groups=groups, bias=rng.integers(-50, 50, 4), **geometry)
    x = random_codes(rng, source, (2, 5, 6, 4))
    y = single(layer, (5, 6, 4), source).run(x, keep="all")["b"]
    np.testing.assert_array_equal(y, defined_sums(layer, source.decode(x)))


@pytest.mark.parametrize("bits", [4, 12, 20, 40])
def test_every_width_of_sum_is_exact(bits):
    """In 16, 32 and 64 bits, each with sums that the type below could not hold."""
    encoding = Uniform(bits=bits, signed=True)
    rng = np.random.default_rng(bits)
    weights = random_codes(rng, encoding, (3, 1, 1, 30))
    layer = Linear(
        name="fc", input="a", output="b", weights=weights, weight_encoding=encoding, operation=Operation.ADDER
    )
    codes = random_codes(rng, encoding, (20, 1, 1, 30))
    codes[:3], codes[3:6] = encoding.code_min, encoding.code_max
    expected = [
        [-sum(abs(int(a) - int(b)) for a, b in zip(x, w, strict=True)) for w in weights[:, 0, 0]]
        for x in codes[:, 0, 0]
    ]
    y = single(layer, (1, 1, 30), encoding, Uniform(bits=48, signed=True)).run(codes)
    assert y.tolist() == expected
    prepared = DistanceSums.of(layer, encoding, (1, 1, 30), np.ones(3, np.int8))
    least = {4: 16, 12: 32, 20: 32, 40: 64}[bits]
    assert prepared.weights.dtype == np.dtype(f"int{least}")


def test_a_bound_at_the_end_of_a_type_keeps_its_thresholds():
    """The greatest bound of 16 bits is 2^15 - 2: a threshold that is never reached lies one beyond."""
    source = Uniform(bits=15, signed=False)

    def layer_of(bias):
        return Linear(
            name="fc",
            input="a",
            output="b",
            weights=np.zeros((2, 1, 1, 1), int),
            weight_encoding=Ternary(),
            operation=Operation.ADDER,
            bias=np.array([bias, 0]),
            post=Thresholds(values=np.array([[1 << 40], [-5]]), direction=np.array([1, -1])),
        )

    assert magnitude_bound(layer_of(0), source) == (1 << 15) - 1
    codes = np.array([0, 4, 5, 6, (1 << 15) - 1])[:, None, None, None]
    for bias in (0, 1 << 15):
        y = single(layer_of(bias), (1, 1, 1), source, Binary()).run(codes)
        assert y.tolist() == [[0, 1]] * 5, "minus the sum is at least -5, always"


def test_thresholds_count_with_direction():
    rng = np.random.default_rng(5)
    target = Uniform(bits=2, signed=False)
    post = Thresholds(values=np.sort(rng.integers(-60, 60, (6, 3)), axis=1), direction=np.array([1, -1] * 3))
    layer = conv(rng.integers(-8, 8, (6, 1, 1, 10)), NIBBLES, bias=rng.integers(-9, 9, 6), post=post)
    codes = random_codes(rng, NIBBLES, (60, 3, 3, 10))
    sums = defined_sums(layer, codes) * post.direction
    assert np.any(sums[..., None] == post.values)
    expected = (sums[..., None] >= post.values).sum(axis=-1)
    assert len(np.unique(expected)) == 4
    np.testing.assert_array_equal(single(layer, (3, 3, 10), NIBBLES, target).run(codes), expected)


def test_blocks_do_not_show():
    rng = np.random.default_rng(1)
    layer = conv(random_codes(rng, NIBBLES, (33, 1, 1, 2)), NIBBLES)
    x = random_codes(rng, NIBBLES, (3, 40, 30, 2))
    assert 3 * BLOCK < 3 * 40 * 30 * 33
    expected = -np.abs(x[:, :, :, None, :] - layer.weights[:, 0, 0].astype(int)).sum(axis=-1)
    np.testing.assert_array_equal(single(layer, (40, 30, 2), NIBBLES).run(x, keep="all")["b"], expected)


SMALL = [
    Uniform(bits=2, signed=False),
    Uniform(bits=2, signed=True, zero_point=3),
    Binary(),
    Ternary(),
    Codebook((-5, 1, 9)),
    PowerOfTwo(bits=3, e_min=1, e_max=3),
]


@given(st.integers(0, 2**32 - 1), st.sampled_from(SMALL), st.sampled_from(SMALL))
def test_bounds_are_reached_by_some_input_and_never_passed(seed, source, weight):
    rng = np.random.default_rng(seed)
    layer = Linear(
        name="fc",
        input="a",
        output="b",
        weights=rng.integers(weight.code_min, weight.code_max + 1, (3, 1, 2, 2)),
        weight_encoding=weight,
        operation=Operation.ADDER,
        bias=rng.integers(-9, 9, 3),
    )
    values = source.decode(np.arange(source.code_min, source.code_max + 1))
    grid = np.array(list(itertools.product(values, repeat=4)))
    sums = layer.bias - np.abs(grid[:, None] - weight.decode(layer.weights).reshape(3, 4)).sum(axis=2)
    lows, highs = channel_bounds(layer, source)
    assert lows == sums.min(axis=0).tolist()
    assert highs == sums.max(axis=0).tolist()
    assert magnitude_bound(layer, source) >= np.abs(sums).max()


@pytest.mark.parametrize(
    ("pad_value", "bounds"),
    # Inputs 2 to 5, weights +1: a tap is -4 to -1, 0 where it is padded, or -abs(pad_value - 1).
    [(None, (-36, 0)), (0, (-36, -9)), (-9, (-90, -9)), (1, (-36, 0))],
)
def test_padding_widens_the_bounds(pad_value, bounds):
    layer = conv(np.ones((1, 3, 3, 1), int), Binary(), padding=(1, 1, 1, 1), pad_value=pad_value)
    lows, highs = channel_bounds(layer, Uniform(bits=2, signed=False, zero_point=-2))
    assert (lows[0], highs[0]) == bounds


def test_macs_are_those_of_a_convolution():
    layer = conv(np.zeros((4, 3, 3, 2), int), NIBBLES, padding=(1, 1, 1, 1))
    assert layer.macs((8, 7, 2)) == 8 * 7 * 4 * 3 * 3 * 2
