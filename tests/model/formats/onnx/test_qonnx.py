"""Every node of QONNX, and every scalar chain round it, against qonnx's own executor: equal, not close."""

import numpy as np
import pytest
from onnx import TensorProto

import rowloom
from rowloom.model.encodings import Binary, Ternary
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import BREVITAS, Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
SHAPE = (1, 3, 8, 8)
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def start(shape=SHAPE, scale=2.0**-5, bits=8, signed=1, **options):
    g = Graph(shape, **options)
    return g, g.quant("x", scale, bits=bits, signed=signed)


def conv(g, x, m, c, k=3, *, bits=4, scale=2.0**-3, pad=1, **options):
    rng = np.random.default_rng(m * c * k)
    w = g.quant(random_weights(rng, (m, c, k, k), scale, bits), scale, bits=bits, narrow=1)
    return g.add("Conv", x, w, kernel_shape=[k, k], pads=[pad] * 4, **options)


def norm(g, x, m, seed=0):
    rng = np.random.default_rng(seed)
    # Powers of two and few bits: every float32 operation is then exact, and ties are ties.
    gamma = rng.choice([-2, -1, -0.5, 0.5, 1, 2], m).astype(np.float32)
    beta, mean = (rng.integers(-8, 9, m) / 4).astype(np.float32), (rng.integers(-8, 9, m) / 4).astype(np.float32)
    variance = rng.choice([0.25, 1, 4], m).astype(np.float32)
    return g.add("BatchNormalization", x, gamma, beta, mean, variance, epsilon=0.0)


def shuffle(g, x, channels, groups, size):
    """As torch exports it: taken apart, turned and put together."""
    apart = g.constant([1, groups, channels // groups, size, size], np.int64)
    x = g.add("Transpose", g.add("Reshape", x, apart), perm=[0, 2, 1, 3, 4])
    return g.add("Reshape", x, g.constant([1, channels, size, size], np.int64))


@case
def weights_and_activations():
    g, x = start()
    x = g.quant(g.add("Relu", norm(g, conv(g, x, 6, 3), 6)), 0.25, bits=4, signed=0)
    x = g.quant(conv(g, x, 5, 6, bits=2, strides=[2, 2]), 0.5, bits=6)
    return g.model(x)


@case
def ends_in_floats():
    g, x = start()
    x = g.quant(g.add("Relu", conv(g, x, 4, 3)), 0.25, bits=4, signed=0)
    x = g.add("Flatten", x)
    w = g.quant(random_weights(np.random.default_rng(1), (256, 10)), 0.25, bits=4)
    return g.model(g.add("Add", g.add("MatMul", x, w), np.arange(10) / 8))


@case
def per_channel_weights():
    g, x = start()
    scale = (2.0 ** -np.arange(1, 5)).reshape(4, 1, 1, 1)
    w = g.quant(random_weights(np.random.default_rng(2), (4, 3, 3, 3), 0.1), scale, bits=4)
    x = g.add("Conv", x, w, np.array([0.5, -1.25, 3, 0]), kernel_shape=[3, 3])
    return g.model(g.quant(x, 0.25, bits=5))


@case
def depthwise():
    g, x = start((1, 4, 9, 9))
    w = g.quant(random_weights(np.random.default_rng(3), (8, 1, 3, 3)), 0.25, bits=4)
    x = g.add("Conv", x, w, kernel_shape=[3, 3], group=4, pads=[1, 0, 1, 2], strides=[2, 1], dilations=[2, 1])
    return g.model(g.quant(x, 0.25, bits=5))


@case
def falling_channels_after_a_pool():
    g, x = start()
    x = g.add("MaxPool", conv(g, x, 6, 3), kernel_shape=[2, 2], strides=[2, 2])
    return g.model(g.quant(norm(g, x, 6), 0.5, bits=3))


@case
def falling_channels_after_a_pool_of_codes():
    g, x = start()
    x = g.add("MaxPool", norm(g, x, 3), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    return g.model(g.quant(x, 0.5, bits=3))


@case
def falling_channels_before_a_pool():
    """Of sums, of codes, and then falling once more, with channels that move."""
    g, x = start()
    flipped = (np.array([-1, 1, -2]), np.array([0.5, 0, -1]), np.zeros(3), np.ones(3))
    y = g.add("BatchNormalization", conv(g, x, 3, 3), *flipped, epsilon=0.0)
    y = g.quant(g.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2]), 0.5, bits=6)
    z = g.add("MaxPool", g.add("BatchNormalization", x, *flipped, epsilon=0.0), kernel_shape=[2, 2], strides=[2, 2])
    z = g.quant(g.add("BatchNormalization", z, *flipped, epsilon=0.0), 0.5, bits=5)
    a = g.add("MaxPool", norm(g, conv(g, x, 8, 3), 8), kernel_shape=[2, 2], strides=[2, 2])
    a = g.quant(norm(g, shuffle(g, a, 8, 2, 4), 8, seed=1), 0.5, bits=4)
    return g.model(y, z, a)


@case
def greatest_of_a_map():
    """ReduceMax, with falling channels before it, and GlobalMaxPool."""
    g, x = start((1, 3, 7, 9))
    y = g.add("ReduceMax", norm(g, conv(g, x, 5, 3), 5), axes=[2, 3], keepdims=0)
    z = g.add("Flatten", g.add("GlobalMaxPool", g.add("Neg", x)))
    return g.model(g.quant(y, 0.25, bits=6), g.quant(z, 0.25, bits=6))


@case
def padded_in_one_dimension():
    """As tf2onnx writes a causal convolution of one channel: Pad, Unsqueeze, Reshape."""
    g, x = start((1, 14, 1))
    x = g.add("Pad", x, g.constant([0, 3, 0, 0, 1, 0], np.int64))
    x = g.add("Reshape", g.add("Unsqueeze", x, g.constant([-3], np.int64)), g.constant([-1, 1, 1, 18], np.int64))
    w = g.quant(random_weights(np.random.default_rng(4), (4, 1, 1, 4)), 0.25, bits=4)
    return g.model(g.quant(g.add("Squeeze", g.add("Conv", x, w), g.constant([2], np.int64)), 0.25, bits=6))


@case
def pool_of_signs():
    g, x = start()
    x = g.bipolar(norm(g, conv(g, x, 6, 3), 6))
    x = g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return g.model(g.quant(conv(g, x, 2, 6), 1.0, bits=8))


@case
def ceiled_pool():
    g, x = start((1, 3, 7, 7))
    return g.model(g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1))


@case
def binary():
    g, x = start()
    w = g.bipolar(random_weights(np.random.default_rng(5), (6, 3, 3, 3)), 0.5)
    x = g.bipolar(norm(g, g.add("Conv", x, w, kernel_shape=[3, 3]), 6))
    w = g.bipolar(random_weights(np.random.default_rng(6), (4, 6, 3, 3)), 1.0)
    return g.model(g.add("Conv", x, w, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))


@case
def ternary():
    g, x = start()
    w = g.quant(random_weights(np.random.default_rng(7), (6, 3, 3, 3)), 0.5, bits=2, narrow=1)
    x = g.quant(g.add("Conv", x, w, kernel_shape=[3, 3]), 1.0, bits=2, narrow=1)
    w = g.quant(random_weights(np.random.default_rng(8), (4, 6, 3, 3)), 0.5, bits=2, narrow=1)
    return g.model(g.quant(g.add("Conv", x, w, kernel_shape=[3, 3]), 0.5, bits=8))


@case
def one_bit_of_quant():
    g, x = start()
    w = g.quant(random_weights(np.random.default_rng(9), (4, 3, 3, 3)), 0.5, bits=1, signed=1)
    x = g.quant(g.add("Conv", x, w, kernel_shape=[3, 3]), 1.0, bits=1, signed=0)
    w = g.quant(random_weights(np.random.default_rng(10), (4, 4, 3, 3)), 0.5, bits=1)
    return g.model(g.quant(g.add("Conv", x, w, kernel_shape=[3, 3]), 0.5, bits=1))


@case
def sign():
    g, x = start()
    x = g.add("Sign", conv(g, x, 4, 3))
    return g.model(conv(g, g.add("Sign", g.add("Add", conv(g, x, 4, 4), 1.0 / 16)), 2, 4))


@case
def zero_points():
    g = Graph(SHAPE)
    x = g.quant("x", 2.0**-5, 17, 8, signed=0)
    w = g.quant(random_weights(np.random.default_rng(11), (4, 3, 3, 3)), 0.25, 3, 4, signed=0)
    x = g.quant(g.add("Conv", x, w, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), 0.5, 5, 6)
    return g.model(g.quant(conv(g, x, 3, 4), 0.5, -7, 8))


@case
def sixteen_bits():
    g, x = start(bits=16, scale=2.0**-10)
    return g.model(g.quant(conv(g, x, 3, 3, bits=8, scale=2.0**-6), 2.0**-8, bits=16))


@case
def leaky_and_clip():
    g, x = start()
    x = g.quant(g.add("LeakyRelu", conv(g, x, 4, 3), alpha=0.25), 0.125, bits=6)
    x = g.add("Clip", x, -1.0, 2.0)
    return g.model(g.quant(g.add("Clip", conv(g, x, 4, 4), 0.0, 3.0), 0.25, bits=4, signed=0))


@case
def constants_all_round():
    g, x = start()
    x = g.add("Sub", 3.0, g.add("Mul", conv(g, x, 4, 3), np.array([1, -2, 0.5, 4]).reshape(4, 1, 1)))
    x = g.quant(g.add("Div", x, 2.0), 0.5, bits=5)
    x = g.add("Sub", g.add("Mul", x, 0.5), 1.0)
    return g.model(g.quant(g.add("Conv", x, g.quant(np.ones((2, 4, 1, 1)) * 0.75, 0.25, bits=4)), 0.25, bits=6))


@case
def offset_under_padding():
    g, x = start(signed=0)
    x = g.add("Sub", g.add("Mul", x, 2.0), 1.0)
    return g.model(g.quant(conv(g, x, 4, 3), 0.25, bits=6))


@case
def average_pool():
    g, x = start()
    x = g.quant(g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 2.0**-5, bits=8)
    return g.model(conv(g, x, 2, 3))


@case
def average_pool_with_padding():
    g, x = start()
    options = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [1, 1, 0, 0]}
    a = g.quant(g.add("AveragePool", x, count_include_pad=1, **options), 0.25, bits=5)
    b = g.quant(g.add("AveragePool", x, **options), 0.25, bits=5)
    return g.model(g.quant(g.add("Add", a, b), 0.25, bits=6))


@case
def global_average_pool():
    g, x = start()
    x = g.quant(g.add("Relu", conv(g, x, 6, 3)), 0.25, bits=4, signed=0)
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    w = g.quant(random_weights(np.random.default_rng(12), (5, 6)), 0.25, bits=4)
    return g.model(g.add("Gemm", g.quant(x, 0.25, bits=6, signed=0), w, np.arange(5) / 4.0, transB=1))


@case
def reduce_mean():
    g, x = start()
    x = g.quant(g.add("ReduceMean", x, axes=[2, 3], keepdims=0), 2.0**-6, bits=8)
    w = g.quant(random_weights(np.random.default_rng(13), (3, 4)), 0.25, bits=4)
    return g.model(g.add("MatMul", x, w))


@case
def average_of_sums():
    g, x = start()
    x = g.add("GlobalAveragePool", conv(g, x, 6, 3))
    return g.model(g.quant(x, 2.0**-6, bits=8))


@case
def truncation():
    g, x = start(signed=0)
    x = g.add("Mul", g.add("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4]), 16.0)
    x = g.add("Trunc", x, 2.0**-5, 0.0, 12.0, 6.0, domain=g.domain, rounding_mode="FLOOR")
    return g.model(conv(g, x, 2, 3))


@case
def truncation_of_signed():
    g, x = start()
    x = g.add("Trunc", conv(g, x, 4, 3), 2.0**-8, 0.0, 14.0, 8.0, domain=g.domain, rounding_mode="ROUND")
    return g.model(x)


@case
def branches():
    g, x = start()
    a = g.quant(conv(g, x, 4, 3), 0.5, bits=5)
    b = g.quant(conv(g, a, 4, 4), 0.125, bits=6)
    x = g.quant(g.add("Relu", g.add("Add", a, b)), 0.25, bits=5, signed=0)
    return g.model(g.quant(g.add("Sub", x, a), 0.5, bits=6))


@case
def branches_of_sums():
    g, x = start()
    a = g.quant(conv(g, x, 4, 3), 0.5, bits=5)
    x = g.add("Add", conv(g, a, 4, 4, scale=0.25), a)
    return g.model(g.quant(x, 0.5, bits=6))


@case
def sums_read_by_two_quantizers():
    """Each gets them in a layer of its own, but for the one that wants what another has."""
    g, x = start()
    sums = conv(g, x, 4, 3)
    a, b = g.quant(sums, 0.5, bits=4), g.quant(g.add("Relu", sums), 0.25, bits=5, signed=0)
    c = g.quant(g.add("MaxPool", sums, kernel_shape=[3, 3], pads=[1] * 4), 0.5, bits=4)
    x = g.add("Sum", conv(g, a, 4, 4), conv(g, b, 4, 4), c)
    return g.model(g.quant(x, 0.5, bits=6), g.quant(sums, 0.5, bits=4), sums)


@case
def layers_without_a_quantizer_between():
    """Sums of 13, 7 and 15 bits are codes of the next layer, the bias of the first in whole units and a half."""
    g, x = start(bits=4)
    for bias in (np.array([0.5, -1, 2, 0]), np.array([2.0**-9, -1, 2, 0.125])):
        w = g.quant(random_weights(np.random.default_rng(3), (4, 3, 3, 3)), 0.25, bits=4)
        y = g.add("Conv", x, w, bias, kernel_shape=[3, 3])
        y = g.add("Conv", y, g.quant(np.eye(4).reshape(4, 4, 1, 1), 0.5, bits=2))
    y = g.add("MaxPool", conv(g, y, 4, 4, bits=2, scale=1.0, pad=0), kernel_shape=[2, 2], strides=[2, 2])
    x = conv(g, x, 3, 3, bits=2, pad=1)
    return g.model(g.add("Relu", y), g.quant(conv(g, g.add("Relu", x), 4, 3, bits=2), 0.125, bits=6))


@case
def depthwise_then_pointwise_then_dense():
    g, x = start()
    w = g.quant(random_weights(np.random.default_rng(4), (3, 1, 3, 3)), 0.25, bits=4)
    x = g.add("Conv", x, w, kernel_shape=[3, 3], group=3)
    x = g.quant(conv(g, x, 6, 3, k=1, pad=0, bits=3), 0.25, bits=4)
    x = conv(g, x, 4, 6, k=1, pad=1, bits=2)
    x = g.add("Flatten", g.add("AveragePool", x, kernel_shape=[4, 4], strides=[4, 4]))
    w = g.quant(random_weights(np.random.default_rng(5), (16, 10)), 0.25, bits=4)
    return g.model(g.add("MatMul", x, w))


@case
def channels_joined():
    g, x = start()
    a, b = g.quant(conv(g, x, 2, 3), 0.5, bits=5), g.quant(conv(g, x, 3, 3), 0.25, bits=4)
    return g.model(g.quant(conv(g, g.add("Concat", a, b, axis=1), 2, 5), 0.5, bits=6))


@case
def sums_joined_before_their_quantizer():
    """Batch norm, ReLU and quantizer of all channels, after a Concat of sums, of codes, and of joined channels."""
    g, x = start()
    a, b = conv(g, x, 3, 3), g.quant(conv(g, x, 2, 3), 0.25, bits=5)
    y = g.add("Concat", a, b, x, axis=1)
    x = g.quant(g.add("Relu", norm(g, y, 8)), 2.0 ** -np.arange(8).reshape(1, 8, 1, 1) / 2, bits=4, signed=0)
    z = g.add("Concat", y, conv(g, x, 2, 8), axis=1)
    z = g.add("MaxPool", norm(g, z, 10), kernel_shape=[2, 2], strides=[2, 2])
    z = g.quant(g.add("Mul", z, np.arange(1, 11).reshape(10, 1, 1)), 0.5, bits=6)
    return g.model(conv(g, z, 4, 10))


@case
def dense_joined():
    g, x = start((1, 12))
    a, b = (g.quant(random_weights(np.random.default_rng(n), (12, 5)), 0.25, bits=4) for n in (1, 2))
    x = g.add("Concat", g.add("MatMul", x, a), g.add("Relu", g.add("MatMul", x, b)), axis=-1)
    x = g.add("MultiThreshold", x, np.sort(np.random.default_rng(3).integers(-30, 30, (10, 7)) / 4), domain=g.domain)
    return g.model(g.add("MatMul", x, g.quant(random_weights(np.random.default_rng(4), (10, 3)), 0.25, bits=4)))


@case
def pooled_joined():
    """Channels last, averaged, flattened: the parts stay apart until the quantizer."""
    g, x = start()
    y = g.add("Concat", conv(g, x, 3, 3), conv(g, x, 5, 3, k=1, pad=0), axis=1)
    y = g.add("Transpose", y, perm=[0, 2, 3, 1])
    y = g.add("ReduceMean", y, axes=[1, 2], keepdims=0)
    two = g.constant([2], np.int64)
    y = g.add("Squeeze", g.add("Unsqueeze", y, two), two)
    y = g.quant(g.add("Add", y, np.arange(8)), 0.125, bits=8)
    return g.model(g.add("MatMul", y, g.quant(random_weights(np.random.default_rng(4), (8, 3)), 0.25, bits=4)))


@case
def codes_of_unlike_scales_and_offsets_joined():
    g, x = start()
    a = g.add("Sub", g.quant(conv(g, x, 2, 3), 0.375, bits=8), np.array([1, 0.25]).reshape(2, 1, 1))
    b = g.quant(conv(g, x, 3, 3), 2.0**-7 * 5, bits=8, signed=0)
    x = g.add("Concat", a, b, axis=1)
    return g.model(conv(g, x, 2, 5, pad=0), g.add("Relu", x))


@case
def joined_sums_at_the_end():
    g, x = start()
    return g.model(g.add("Concat", conv(g, x, 2, 3, bits=8), g.add("Relu", conv(g, x, 3, 3)), axis=1))


@case
def branches_of_scales_that_differ_by_channel():
    g, x = start()
    scale = (2.0 ** -np.arange(1, 5)).reshape(1, 4, 1, 1)
    a, b = g.quant(conv(g, x, 4, 3), scale, bits=4), g.quant(conv(g, x, 4, 3), 0.25, bits=5, signed=0)
    w = g.quant(random_weights(np.random.default_rng(2), (4, 3, 3, 3), 0.1), scale.reshape(4, 1, 1, 1), bits=4)
    c = g.add("Conv", x, w, np.array([0.5, -1.25, 3, 1 / 1024]), kernel_shape=[3, 3], pads=[1] * 4)
    d = norm(g, conv(g, x, 4, 3, bits=8), 4)
    y = g.quant(g.add("Sub", g.add("Add", a, b), b), 0.25, bits=6)
    return g.model(g.quant(g.add("Sum", y, a, c, d), 0.5, bits=6), g.add("Sub", c, d))


@case
def padding():
    g, x = start()
    x = g.add("Pad", x, g.constant([0, 0, 1, 2, 0, 0, 0, 1], np.int64), mode="constant")
    return g.model(g.quant(conv(g, x, 2, 3, pad=0), 0.25, bits=6))


@case
def same_padding():
    g, x = start()
    w = g.quant(random_weights(np.random.default_rng(14), (2, 3, 4, 4)), 0.25, bits=4)
    x = g.add("Conv", x, w, kernel_shape=[4, 4], strides=[3, 3], auto_pad="SAME_UPPER")
    return g.model(g.quant(x, 0.5, bits=6))


@case
def transposes():
    g = Graph((1, 8, 8, 3))
    x = g.add("Transpose", g.quant("x", 2.0**-5), perm=[0, 3, 1, 2])
    x = g.add("Transpose", g.quant(conv(g, x, 4, 3), 0.25, bits=5), perm=[0, 2, 3, 1])
    x = g.add("MatMul", x, g.quant(random_weights(np.random.default_rng(15), (4, 6)), 0.25, bits=4))
    return g.model(g.quant(g.add("Add", x, np.arange(6) / 4), 0.5, bits=6))


@case
def flattened_channels_last():
    g, x = start()
    x = g.add("Transpose", g.quant(conv(g, x, 4, 3), 0.25, bits=5), perm=[0, 2, 3, 1])
    x = g.add("Reshape", x, g.constant([1, -1], np.int64))
    return g.model(g.add("MatMul", x, g.quant(random_weights(np.random.default_rng(16), (256, 6)), 0.25, bits=4)))


@case
def channels_last_domain():
    g = Graph((1, 8, 8, 3))
    last = "qonnx.custom_op.channels_last"
    window = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [1, 1], "dilations": [1, 1], "group": 1}
    w = np.random.default_rng(17).integers(-8, 8, (4, 3, 3, 3)) / 4
    x = g.quant("x", 2.0**-5)
    numbers = (np.array([1, -1, 2, 0.5]), np.zeros(4), np.ones(4) / 4, np.ones(4))
    y = g.add("Conv", x, w, domain=last, **window)
    z = g.add("BatchNormalization", y, *numbers, domain=last, epsilon=0.0)
    q = g.quant(z, 0.5, bits=4)
    p = g.add("MaxPool", q, domain=last, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4)
    # qonnx does not infer shapes here.
    return g.model(p, shapes={x: (1, 8, 8, 3), y: (1, 8, 8, 4), z: (1, 8, 8, 4), q: (1, 8, 8, 4)})


@case
def one_dimension():
    g = Graph((1, 3, 16))
    w = g.quant(random_weights(np.random.default_rng(18), (4, 3, 5)), 0.25, bits=4)
    x = g.add("Conv", g.quant("x", 2.0**-5), w, kernel_shape=[5], pads=[2, 1], strides=[2])
    x = g.add("MaxPool", g.quant(x, 0.25, bits=4), kernel_shape=[2], strides=[2])
    return g.model(g.quant(g.add("AveragePool", x, kernel_shape=[2]), 0.125, bits=6))


@case
def vector_to_map():
    g = Graph((1, 48))
    x = g.add("Reshape", g.quant("x", 2.0**-5), g.constant([1, 3, 4, 4], np.int64))
    return g.model(g.quant(conv(g, x, 2, 3), 0.25, bits=6))


@case
def upsampled():
    g, x = start()
    x = g.add(
        *("Resize", x, "", g.constant([1.0, 1, 2, 2])),
        mode="nearest",
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
    return g.model(g.quant(conv(g, x, 2, 3), 0.25, bits=6))


@case
def depth_to_space_of_sums():
    g, x = start()
    x = g.add("DepthToSpace", norm(g, conv(g, x, 8, 3), 8), blocksize=2, mode="CRD")
    x = g.add("Mul", x, np.array([1, 2]).reshape(1, 2, 1, 1))
    return g.model(g.quant(x, 0.25, bits=6))


@case
def depth_to_space_of_codes():
    g, x = start((1, 8, 4, 4))
    return g.model(conv(g, g.add("DepthToSpace", x, blocksize=2, mode="DCR"), 2, 2))


@case
def shuffle_of_codes():
    g, x = start((1, 6, 4, 4))
    return g.model(conv(g, shuffle(g, x, 6, 3, 4), 2, 6))


@case
def shuffle_of_sums():
    """Scales and thresholds that differ by channel move along."""
    g, x = start()
    x = shuffle(g, norm(g, conv(g, x, 8, 3), 8), 8, 2, 8)
    x = g.add("Mul", x, np.arange(1, 9).reshape(1, 8, 1, 1))
    return g.model(g.quant(x, 0.25, bits=6))


@case
def shuffle_before_a_layer():
    """Scales that differ by channel, of sums and of codes, move with their channels into the next layer's weights."""
    g, x = start(bits=4)
    y = shuffle(g, norm(g, conv(g, x, 8, 3, k=1, pad=0), 8), 8, 2, 8)
    z = g.quant(conv(g, x, 8, 3, k=1, pad=0), 2.0 ** -np.arange(8).reshape(1, 8, 1, 1) / 2, bits=4)
    z = shuffle(g, norm(g, z, 8), 8, 4, 8)
    return g.model(*(g.quant(conv(g, each, 2, 8, k=1, pad=0), 0.25, bits=6) for each in (y, z)))


@case
def activations_that_differ_by_channel_before_a_layer():
    g, x = start()
    x = g.add("PRelu", g.quant(conv(g, x, 4, 3), 0.25, bits=5), np.array([0.5, 1, 0, 0.25]).reshape(4, 1, 1))
    x = g.add("Relu", norm(g, g.add("Mul", x, np.array([1, -1, 2, 0.5]).reshape(4, 1, 1)), 4))
    return g.model(g.quant(conv(g, x, 2, 4), 0.25, bits=6), x)


@case
def channels_of_zero():
    """As a batch norm with a gamma of 0 leaves them, and what qonnx makes of it: before layers, sums and joins."""
    g, x = start()
    zeros = np.array([0, 1, 0.5, 0]).reshape(4, 1, 1)
    a, b = (g.add("Mul", g.quant(conv(g, x, 4, 3), 0.25, bits=bits), zeros) for bits in (4, 6))
    c = g.add("Mul", g.quant(conv(g, x, 1, 3), 0.25, bits=4), 0.0)
    both = g.quant(g.add("Add", a, b), 0.5, bits=5)
    y = g.add("Concat", a, c, both, axis=1)
    return g.model(*(g.quant(conv(g, each, 2, m), 0.25, bits=6) for each, m in ((a, 4), (y, 9))), both)


@case
def gemm_with_factors():
    g, x = start((1, 12))
    w = g.quant(random_weights(np.random.default_rng(5), (6, 12)), 0.25, bits=4)
    x = g.add("Gemm", x, w, np.arange(6) / 4.0, transB=1, alpha=-0.5, beta=2.0)
    return g.model(g.quant(x, 0.25, bits=6))


@case
def falling_input():
    g = Graph(SHAPE)
    x = g.quant(g.add("Sub", 0.5, "x"), 2.0**-5, 3, 7, signed=0)
    return g.model(g.quant(conv(g, x, 2, 3), 0.25, bits=6), g.add("MaxPool", x, kernel_shape=[2, 2]))


@case
def padding_as_wide_as_the_kernel():
    g, x = start()
    w = g.bipolar(random_weights(np.random.default_rng(6), (2, 3, 1, 2)), 0.5)
    x = g.add("Conv", x, w, pads=[1, 3, 2, 0], strides=[1, 2])
    return g.model(g.quant(x, 0.25, bits=6))


@case
def channels_taken_apart_and_back():
    g, x = start((1, 6, 4, 4))
    x = g.add("Reshape", x, g.constant([1, 3, 2, 4, 4], np.int64))
    return g.model(conv(g, g.add("Reshape", x, g.constant([1, 6, 4, 4], np.int64)), 2, 6))


@case
def multi_thresholds():
    g, x = start()
    steps = np.sort(np.random.default_rng(19).integers(-40, 40, (4, 7)) / 8.0, axis=1)
    x = g.add("MultiThreshold", conv(g, x, 4, 3), steps, domain=g.domain, out_dtype="UINT3")
    steps = np.sort(np.random.default_rng(20).integers(-40, 40, (1, 6)) / 2.0, axis=1)
    options = {"out_dtype": "INT4", "out_scale": 0.5, "out_bias": -1.5}
    x = g.add("MultiThreshold", conv(g, x, 4, 4), steps, domain=g.domain, **options)
    options = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    return g.model(g.add("MultiThreshold", conv(g, x, 4, 4), np.zeros((4, 1)), domain=g.domain, **options))


@case
def multi_threshold_on_the_input():
    g = Graph(SHAPE)
    steps = np.sort(np.random.default_rng(21).standard_normal((3, 15)), axis=1)
    x = g.add("MultiThreshold", "x", steps, domain=g.domain, out_dtype="INT4", out_bias=-8.0)
    return g.model(conv(g, x, 2, 3))


@case
def powers_of_two():
    g, x = start()
    saturated = {"saturation": 1}
    w = random_weights(np.random.default_rng(22), (4, 3, 3, 3), 1.0)
    w = g.add(
        "FloatQuant", w, 0.5, 3.0, 0.0, 3.0, 8.0, domain=g.domain, has_inf=0, has_nan=0, has_subnormal=0, **saturated
    )
    x = g.add("Conv", x, w, kernel_shape=[3, 3])
    x = g.add(
        "FloatQuant", x, 0.5, 3.0, 0.0, 3.0, 4.0, domain=g.domain, has_inf=0, has_nan=0, has_subnormal=0, **saturated
    )
    return g.model(conv(g, x, 2, 4))


@case
def argmax():
    g, x = start((1, 12))
    w = g.quant(random_weights(np.random.default_rng(23), (12, 10)), 0.25, bits=4)
    _, index = g.add(
        *("TopK", g.add("MatMul", x, w), g.constant([1], np.int64)), outputs=2, axis=-1, largest=1, sorted=1
    )
    return g.model(index, kinds={index: TensorProto.INT64})


@case
def two_outputs():
    g, x = start()
    a = g.quant(conv(g, x, 4, 3), 0.5, bits=5)
    return g.model(a, conv(g, a, 2, 4))


@case
def relu_at_the_end():
    g, x = start()
    return g.model(g.add("Relu", conv(g, x, 4, 3)))


@case
def quantized_twice():
    g, x = start()
    x = g.quant(g.quant(g.quant(conv(g, x, 4, 3), 0.25, bits=5), 0.25, bits=5), 0.5, bits=3)
    return g.model(x)


def inputs(model, count=3):
    """Images with every tie: multiples of half a step, and what saturates."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    rng = np.random.default_rng(99)
    x = rng.integers(-300, 301, (count, *shape)) * 2.0**-6
    x[0] = rng.standard_normal(shape) * 3
    return x.astype(np.float32)


def check(model, path, x, reference=qonnx_outputs, **options):
    net = rowloom.from_qonnx(written(model, path), **options)
    want = reference(model, x)
    got = host_run(net, x, dequantize=True)
    got = got if isinstance(got, dict) else {next(iter(want)): got}
    assert list(got) == list(want)
    for name, array in want.items():
        assert got[name].shape == array.shape
        assert np.array_equal(got[name], array), f"{np.mean(got[name] != array):.2%} differ"
    assert any(len(np.unique(array)) > 1 for array in want.values()), "all the same: nothing was compared"
    return net


@pytest.mark.parametrize("name", CASES)
def test_equals_the_executor(name, tmp_path):
    model = CASES[name]()
    check(model, tmp_path / "m.onnx", inputs(model))


@pytest.mark.parametrize("domain", [BREVITAS, "finn.custom_op.general"])
def test_domains(domain, tmp_path):
    g = Graph(SHAPE, domain=domain)
    model = g.model(g.quant(conv(g, g.quant("x", 2.0**-5), 2, 3), 0.25, bits=4))
    other = Graph(SHAPE)
    same = other.model(other.quant(conv(other, other.quant("x", 2.0**-5), 2, 3), 0.25, bits=4))
    x = inputs(model)
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    assert np.array_equal(host_run(net, x, dequantize=True), next(iter(qonnx_outputs(same, x).values())))


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 20])
def test_opsets(opset, tmp_path):
    g, x = start(opset=opset)
    x = g.quant(g.add("Relu", norm(g, conv(g, x, 4, 3), 4)), 0.25, bits=4, signed=0)
    x = g.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = g.add("Reshape", x, g.constant([1, -1], np.int64))
    w = g.quant(random_weights(np.random.default_rng(1), (64, 10)), 0.25, bits=4)
    model = g.model(g.quant(g.add("MatMul", x, w), 0.5, bits=8))
    check(model, tmp_path / "m.onnx", inputs(model))


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"])
def test_rounding_modes(rounding, narrow, signed, tmp_path):
    """On floats, on sums, and on codes: all three with many ties."""
    g = Graph(SHAPE)
    x = g.quant("x", 2.0**-5, bits=8, signed=signed, narrow=narrow, rounding=rounding)
    x = g.quant(conv(g, x, 3, 3), 0.5, bits=6, signed=signed, narrow=narrow, rounding=rounding)
    model = g.model(g.quant(x, 1.0, bits=3, signed=signed, narrow=narrow, rounding=rounding))
    check(model, tmp_path / "m.onnx", inputs(model))


@pytest.mark.parametrize("bits", range(1, 9))
def test_widths(bits, tmp_path):
    g, x = start()
    x = g.quant(conv(g, x, 3, 3, bits=max(bits, 2)), 0.25, bits=bits, signed=0)
    w = g.quant(random_weights(np.random.default_rng(3), (2, 3, 1, 1)), 0.25, bits=bits, narrow=int(bits > 1))
    model = g.model(g.quant(g.add("Conv", x, w), 2.0**-5, bits=8))
    check(model, tmp_path / "m.onnx", inputs(model))


def test_an_input_without_quantizer(tmp_path):
    g = Graph(SHAPE)
    model = g.model(g.quant(conv(g, "x", 4, 3), 0.25, bits=5))
    path = written(model, tmp_path / "m.onnx")
    with pytest.raises(rowloom.RowloomError, match=r"--input-scale .* --input-encoding"):
        rowloom.from_qonnx(path)
    codes = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8))
    net = rowloom.from_qonnx(path, input_scale="1/64", input_encoding="uint8")
    want = qonnx_outputs(model, (codes / 64).astype(np.float32))
    assert np.array_equal(host_run(net, codes, dequantize=True), next(iter(want.values())))


@pytest.mark.parametrize(("offset", "encoding"), [(0.0, Ternary()), (-0.5, Ternary()), (2.0**-12, Binary())])
def test_signs_of_sums(offset, encoding, tmp_path):
    """-1, 0 and +1 where some sum gives 0, whichever it is, else -1 and +1; in channels that rise and that fall."""
    g, x = start()
    x = g.add("Mul", conv(g, x, 4, 3), np.array([1.0, -1, 1, -1]).reshape(1, 4, 1, 1))
    model = g.model(g.add("Sign", g.add("Add", x, offset)))
    x = np.round(inputs(model))  # many sums are 0
    net = check(model, tmp_path / "m.onnx", x)
    assert net.tensor(net.outputs[0]).encoding == encoding
    (want,) = qonnx_outputs(model, x).values()
    assert len(np.unique(want)) == 2 + isinstance(encoding, Ternary)


def test_arbitrary_scales_agree_but_for_float_noise(tmp_path):
    """Sums are rounded by the executor in an order of its own; only what is a hair from a tie may then differ."""
    g = Graph(SHAPE)
    rng = np.random.default_rng(0)
    w = g.quant(rng.standard_normal((8, 3, 3, 3)), 0.0731, bits=4, narrow=1)
    x = g.add("Conv", g.quant("x", 0.0123, bits=8), w, rng.standard_normal(8), kernel_shape=[3, 3])
    numbers = [rng.standard_normal(8), rng.standard_normal(8), rng.standard_normal(8), rng.uniform(0.5, 2, 8)]
    model = g.model(g.quant(g.add("BatchNormalization", x, *numbers), 0.0517, bits=6))
    x = rng.standard_normal((20, 3, 8, 8)).astype(np.float32)
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    (want,) = qonnx_outputs(model, x).values()
    assert np.mean(host_run(net, x, dequantize=True) != want) < 1e-4


def test_ties_are_counted(tmp_path):
    """Powers of two leave nothing to float32; averages of codes whose scale is none are halves that it decides."""
    told = {}
    for scale in (0.25, 0.3):
        g = Graph(SHAPE)
        x = g.add("AveragePool", g.quant("x", scale, bits=4), kernel_shape=[2, 2], strides=[2, 2])
        path = written(g.model(g.quant(x, scale, bits=4)), tmp_path / "m.onnx")
        told[scale] = import_file(path).float_ties
    assert told[0.25] == 0
    # Half of the sums at a half, -7.5 to 6.5, in each of three channels.
    assert told[0.3] > 3
