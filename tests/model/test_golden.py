"""The golden model against torch, which convolves the same integers in float64."""

import itertools

import numpy as np
import pytest

from rowloom.model import golden
from rowloom.model.arith import multiply_by_quantized_multiplier
from rowloom.model.bounds import magnitude_bound, signed_bits
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Conv2d, Linear, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize, Thresholds

torch = pytest.importorskip("torch", reason="compares with torch")
reference = pytest.importorskip("tests.model.reference")
functional = torch.nn.functional
random_codes, single, torch_sums = reference.random_codes, reference.single, reference.torch_convolution

BYTES = Uniform(bits=8, signed=False)


GEOMETRIES = [
    {},
    {"padding": (1, 1, 1, 1)},
    {"padding": (2, 0, 1, 0), "stride": (2, 1)},
    {"padding": (0, 1, 2, 2), "stride": (1, 3), "dilation": (1, 2)},
    {"padding": (2, 2, 2, 2), "dilation": (2, 2), "stride": (2, 2)},
    {"padding": (1, 1, 1, 1), "pad_value": -1},
]
ENCODINGS = [
    (Binary(), Binary()),
    (BYTES, Binary()),
    (Uniform(bits=8, signed=True), Uniform(bits=8, signed=True)),
    (Uniform(bits=5, signed=False, zero_point=17), Uniform(bits=3, signed=False, zero_point=2)),
]


@pytest.mark.parametrize("groups", ["one", "two", "depthwise"])
@pytest.mark.parametrize(("source", "weight"), ENCODINGS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolution_equals_torch(geometry, source, weight, groups):
    rng = np.random.default_rng(3)
    # Odd channel counts wherever the groups allow it.
    channels, group_count, filters = {"one": (5, 1, 7), "two": (6, 2, 10), "depthwise": (5, 5, 10)}[groups]
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=random_codes(rng, weight, (filters, 3, 2, channels // group_count)),
        weight_encoding=weight,
        groups=group_count,
        bias=rng.integers(-50, 50, filters),
        **({"padding": (0, 0, 0, 0)} | geometry | _fit_padding(geometry)),
    )
    codes = random_codes(rng, source, (3, 9, 8, channels))
    y = single(layer, (9, 8, channels), source).run(codes, keep="all")["b"]
    np.testing.assert_array_equal(y, torch_sums(layer, source.decode(codes)))


def _fit_padding(geometry):
    """Return the padding, cut to what a kernel of two columns allows."""
    top, bottom, left, right = geometry.get("padding", (0, 0, 0, 0))
    across = geometry.get("dilation", (1, 1))[1]
    return {"padding": (top, bottom, min(left, across), min(right, across))}


@pytest.mark.parametrize("bits", [8, 20, 23])
def test_every_width_of_sum_is_exact(bits):
    """float32, float64 and integers, each at a bound that the type below could not hold."""
    source = weight = Uniform(bits=bits, signed=True)
    rng = np.random.default_rng(bits)
    layer = Linear(
        name="fc",
        input="a",
        output="b",
        weights=random_codes(rng, weight, (3, 1, 1, 3)),
        weight_encoding=weight,
    )
    assert signed_bits(-magnitude_bound(layer, source), 0) in (17, 18, 41, 47, 48)
    codes = random_codes(rng, source, (50, 1, 1, 3))
    expected = [
        [int(sum(int(a) * int(b) for a, b in zip(x, w, strict=True))) for w in layer.weights[:, 0, 0]]
        for x in codes[:, 0, 0]
    ]
    net = Network(
        name="wide",
        tensors=(
            Tensor(name="a", shape=(1, 1, 3), encoding=source),
            Tensor(name="b", shape=(1, 1, 3), encoding=Uniform(bits=48, signed=True)),
        ),
        layers=(layer,),
        input="a",
        outputs=("b",),
    )
    assert net.run(codes).tolist() == expected


def test_bound_decides_the_type():
    def dtype_of(weight):
        layer = Linear(
            name="fc",
            input="a",
            output="b",
            weights=np.array([[[[weight]]]]),
            weight_encoding=Uniform(bits=48, signed=True),
        )
        return golden._WeightedSum.of(layer, Uniform(bits=2, signed=False), Uniform(bits=48, signed=True)).dtype

    assert 3 * 5592405 == (1 << 24) - 1
    assert dtype_of(5592405) == np.float32
    assert dtype_of(5592406) == np.float64


def test_sums_beyond_floats_are_integers():
    # Values of about 2^40 that cancel: the sum is narrow, its terms together are not below 2^53.
    source = Uniform(bits=1, signed=False, zero_point=-(1 << 40))
    weights = np.array([[[[4097, -4096, 4096, -4097]]]])
    layer = Linear(name="fc", input="a", output="b", weights=weights, weight_encoding=Uniform(bits=14, signed=True))
    prepared = golden._WeightedSum.of(layer, source, Uniform(bits=20, signed=True))
    assert prepared.dtype == np.int64
    codes = np.array(list(itertools.product([0, 1], repeat=4)))[:, None, None, :]
    y = single(layer, (1, 1, 4), source).run(codes)
    np.testing.assert_array_equal(y[:, 0], codes[:, 0, 0] @ weights[0, 0, 0])


@pytest.mark.parametrize("target", [Binary(), Uniform(bits=2, signed=False), Uniform(bits=3, signed=True)])
def test_thresholds_count_with_direction_ties_included(target):
    rng = np.random.default_rng(5)
    levels = target.code_max - target.code_min
    post = Thresholds(values=np.sort(rng.integers(-30, 30, (6, levels)), axis=1), direction=np.array([1, -1] * 3))
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=rng.integers(0, 2, (6, 1, 1, 40)),
        weight_encoding=Binary(),
        bias=rng.integers(-9, 9, 6),
        post=post,
    )
    codes = rng.integers(0, 2, (60, 3, 3, 40))
    sums = torch_sums(layer, 2 * codes - 1) * post.direction
    assert np.any(sums[..., None] == post.values)
    expected = target.code_min + (sums[..., None] >= post.values).sum(axis=-1)
    np.testing.assert_array_equal(single(layer, (3, 3, 40), Binary(), target).run(codes), expected)


@pytest.mark.parametrize("direction", [1, -1])
def test_thresholds_out_of_reach_give_constants(direction):
    post = Thresholds(values=np.array([[-(1 << 60)], [1 << 60], [-10], [10]]), direction=np.full(4, direction))
    layer = Linear(
        name="fc", input="a", output="b", weights=np.ones((4, 1, 1, 9), int), weight_encoding=Binary(), post=post
    )
    codes = np.array(list(itertools.product([0, 1], repeat=9)))[:, None, None, :]
    y = single(layer, (1, 1, 9), Binary(), Binary()).run(codes)
    assert np.all(y == [1, 0, 1, 0])


def test_requantize_as_the_reference_kernels():
    rng = np.random.default_rng(6)
    target = Uniform(bits=8, signed=True)
    source = Uniform(bits=8, signed=True, zero_point=-3)
    post = Requantize(multiplier=rng.integers(1 << 30, 1 << 31, 6), shift=rng.integers(-10, -6, 6), output_zero_point=4)
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=rng.integers(-127, 128, (6, 3, 3, 4)),
        weight_encoding=Uniform(bits=8, signed=True),
        padding=(1, 1, 1, 1),
        bias=rng.integers(-5000, 5000, 6),
        post=post,
    )
    codes = random_codes(rng, source, (5, 6, 6, 4))
    sums = torch_sums(layer, source.decode(codes))
    scaled = multiply_by_quantized_multiplier(sums, post.multiplier, post.shift) + 4
    clipped = np.mean((scaled < -128) | (scaled > 127))
    assert 0 < clipped < 0.7
    y = single(layer, (6, 6, 4), source, target).run(codes)
    np.testing.assert_array_equal(y, np.clip(scaled, -128, 127))


@pytest.mark.parametrize("encoding", [Binary(), BYTES, Uniform(bits=4, signed=True)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0)])
def test_max_pool_equals_torch(encoding, kernel, stride, padding):
    rng = np.random.default_rng(8)
    layer = MaxPool2d(
        name="p", input="a", output="b", kernel=(kernel,) * 2, stride=(stride,) * 2, padding=(padding,) * 4
    )
    codes = random_codes(rng, encoding, (4, 7, 6, 3))
    x = torch.from_numpy(encoding.decode(codes).astype(np.float64)).permute(0, 3, 1, 2)
    expected = functional.max_pool2d(x, kernel, stride, padding).permute(0, 2, 3, 1).numpy()
    y = single(layer, (7, 6, 3), encoding, encoding).run(codes)
    np.testing.assert_array_equal(encoding.decode(y), expected)


def test_argmax_takes_the_lowest_of_equals():
    layer = ArgMax(name="am", input="a", output="b")
    codes = np.array([[3, 5, 5], [7, 7, 7], [0, 1, 2]])[:, None, None, :]
    y = single(layer, (1, 1, 3), BYTES, Uniform(bits=2, signed=False)).run(codes)
    assert y.tolist() == [[1], [0], [2]]


@pytest.mark.parametrize(
    "count", [0, 1, golden.IMAGES_AT_ONCE, golden.IMAGES_AT_ONCE + 1, 3 * golden.IMAGES_AT_ONCE + 5]
)
def test_images_do_not_see_each_other(small_network, count):
    codes = np.random.default_rng(9).integers(0, 16, (count, 6, 5, 3))
    together = small_network.run(codes, keep="all")
    assert {name: array.shape for name, array in together.items()} == {
        tensor.name: (count, *tensor.shape) for tensor in small_network.tensors
    }
    for image in range(count):
        for name, alone in small_network.run(codes[image : image + 1], keep="all").items():
            np.testing.assert_array_equal(alone[0], together[name][image])


def test_codes_come_in_their_encodings_type(small_network):
    kept = small_network.run(np.zeros((2, 6, 5, 3), np.int64), keep="all")
    assert {name: array.dtype for name, array in kept.items()} == {
        tensor.name: tensor.encoding.dtype for tensor in small_network.tensors
    }
    assert small_network.run(np.zeros((2, 6, 5, 3), np.int64)).shape == (2, 1)


def test_floats_are_quantized_by_the_scale(small_network):
    codes = np.random.default_rng(1).integers(0, 16, (4, 6, 5, 3))
    expected = small_network.run(codes)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(small_network.run((codes / 15).astype(dtype)), expected)
    halves = small_network.run(np.full((1, 6, 5, 3), 2.5 / 15), keep="all")["input"]
    assert np.all(halves == 2), "half goes to even"


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((6, 5, 3), int), r"^images: shape is \(6, 5, 3\), must be \(N, 6, 5, 3\)$"),
        (np.zeros((1, 3, 6, 5), int), r"^images: shape is \(1, 3, 6, 5\), must be \(N, 6, 5, 3\)$"),
        (np.full((1, 6, 5, 3), 16), r"^images: code 16 is outside Uniform\(.*\), codes must be in 0 to 15$"),
        (np.full((1, 6, 5, 3), -1), r"^images: code -1 is outside Uniform\(.*\), codes must be in 0 to 15$"),
        (np.full((1, 6, 5, 3), np.nan), r"^images: hold NaN or infinity, must be finite$"),
        (np.full((1, 6, 5, 3), np.inf), r"^images: hold NaN or infinity, must be finite$"),
        (np.full((1, 6, 5, 3), 1.5), r"^images: hold 1\.5 to 1\.5, must be in 0 to 1$"),
        (np.full((1, 6, 5, 3), "x"), r"^images: must be integers or floats, not <U1$"),
        (np.full((1, 6, 5, 3), True), r"^images: must be integers or floats, not bool$"),
        (np.full((1, 6, 5, 3), 1j), r"^images: must be integers or floats, not complex128$"),
    ],
)
def test_refuses_images(small_network, x, message):
    with pytest.raises(RowloomError, match=message):
        small_network.run(x)


def test_floats_need_a_scale():
    layer = ArgMax(name="am", input="a", output="b")
    net = single(layer, (1, 1, 3), BYTES, Uniform(bits=2, signed=False))
    with pytest.raises(RowloomError, match=r"^images: are float64, but a has no scale, must be integer codes$"):
        net.run(np.zeros((1, 1, 1, 3)))


def test_keep_is_all_or_none(small_network):
    with pytest.raises(RowloomError, match=r"^keep: must be None or 'all', not 'conv1'$"):
        small_network.run(np.zeros((1, 6, 5, 3), int), keep="conv1")
