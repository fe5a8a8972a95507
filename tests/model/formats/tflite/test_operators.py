"""Every TFLite operator, fused activations and odd parameters included, against the reference kernels."""

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.tflite.models import Model, reference

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
CASES = {}
RNG = np.random.default_rng(3)


def case(*parameters):
    def register(function):
        for values in parameters or [()]:
            label = "-".join([function.__name__, *map(str, values)])
            CASES[label] = lambda values=values: function(*values)
        return function

    return register


def weights(m, shape, scales, seed=0, axis=0):
    rng = np.random.default_rng(seed)
    return m.constant(rng.integers(-127, 128, shape), scales, axis=axis)


def bias(m, count, scale=1.0):
    return m.constant(np.random.default_rng(1).integers(-3000, 3000, count), scale, dtype=np.int32)


@case(*[(a, p, s) for a in (NONE, RELU, RELU6, RELU_N1_TO_1) for p in (SAME, VALID) for s in (1, 2)])
def conv(activation, padding, stride):
    m = Model()
    x = m.tensor((1, 7, 8, 3), 0.031, -5)
    w = weights(m, (4, 3, 3, 3), [0.011, 0.0042, 0.0007, 0.02])
    size = (-(-7 // stride), -(-8 // stride)) if padding == SAME else (-(-5 // stride), -(-6 // stride))
    y = m.tensor((1, *size, 4), 0.047, 11)
    window = {"padding": padding, "strideH": stride, "strideW": stride, "fusedActivationFunction": activation}
    return m.content(x, m.add("CONV_2D", [x, w, bias(m, 4)], y, "Conv2DOptions", **window))


@case((1, 1), (2, 1), (1, 2))
def depthwise(multiplier, dilation):
    m = Model()
    x = m.tensor((1, 9, 9, 4), 0.031, 17)
    w = weights(m, (1, 3, 3, 4 * multiplier), np.linspace(0.001, 0.02, 4 * multiplier), axis=3)
    y = m.tensor((1, 9, 9, 4 * multiplier), 0.06, -20)
    options = {"padding": SAME, "strideH": 1, "strideW": 1, "depthMultiplier": multiplier}
    options |= {"dilationHFactor": dilation, "dilationWFactor": dilation}
    inputs = [x, w, bias(m, 4 * multiplier)]
    return m.content(x, m.add("DEPTHWISE_CONV_2D", inputs, y, "DepthwiseConv2DOptions", **options))


@case(*[(a, s) for a in (NONE, RELU, RELU6) for s in (0.6, 0.25, 0.1)])
def dense(activation, scale):
    m = Model()
    x = m.tensor((1, 40), 0.04, -9)
    y = m.tensor((1, 12), scale, 7)
    inputs = [x, weights(m, (12, 40), 0.0113), bias(m, 12, 0.04 * 0.0113)]
    options = {"fusedActivationFunction": activation}
    return m.content(x, m.add("FULLY_CONNECTED", inputs, y, "FullyConnectedOptions", **options))


@case()
def dense_of_a_map():
    m = Model()
    x = m.tensor((1, 3, 4, 5), 0.04, -9)
    flat = m.tensor((1, 60), 0.04, -9)
    m.add("RESHAPE", [x, m.constant([1, 60], dtype=np.int32)], flat, "ReshapeOptions", newShape=[1, 60])
    y = m.tensor((1, 6), 0.2, 7)
    return m.content(x, m.add("FULLY_CONNECTED", [flat, weights(m, (6, 60), 0.0113)], y, "FullyConnectedOptions"))


@case(*[(a, s) for a in (NONE, RELU, RELU6) for s in (0.05, 0.011, 0.4)])
def add(activation, scale):
    m = Model()
    x = m.tensor((1, 5, 6, 3), 0.031, -5)
    a = m.tensor((1, 5, 6, 3), 0.047, 11)
    window = {"padding": SAME, "strideH": 1, "strideW": 1}
    m.add("CONV_2D", [x, weights(m, (3, 3, 3, 3), [0.011, 0.0042, 0.02]), bias(m, 3)], a, "Conv2DOptions", **window)
    y = m.tensor((1, 5, 6, 3), scale, -31)
    return m.content(x, m.add("ADD", [a, x], y, "AddOptions", fusedActivationFunction=activation))


@case()
def add_constant():
    m = Model()
    x = m.tensor((1, 5, 6, 3), 0.031, -5)
    c = m.constant([[[[100, -20, 3]]]], 0.02, 1)
    return m.content(x, m.add("ADD", [x, c], m.tensor((1, 5, 6, 3), 0.05, -31), "AddOptions"))


@case(*[(k, p, a) for k in (2, 3) for p in (SAME, VALID) for a in (NONE, RELU)])
def average_pool(kernel, padding, activation):
    m = Model()
    x = m.tensor((1, 7, 7, 3), 0.031, -5)
    size = -(-7 // 2) if padding == SAME else -(-(7 - kernel + 1) // 2)
    y = m.tensor((1, size, size, 3), 0.031, -5)
    window = {"padding": padding, "strideH": 2, "strideW": 2, "filterHeight": kernel, "filterWidth": kernel}
    options = {**window, "fusedActivationFunction": activation}
    return m.content(x, m.add("AVERAGE_POOL_2D", [x], y, "Pool2DOptions", **options))


@case((NONE,), (RELU,))
def max_pool(activation):
    m = Model()
    x = m.tensor((1, 7, 7, 3), 0.031, -5)
    y = m.tensor((1, 4, 4, 3), 0.031, -5)
    window = {"padding": SAME, "strideH": 2, "strideW": 2, "filterHeight": 3, "filterWidth": 3}
    options = {**window, "fusedActivationFunction": activation}
    return m.content(x, m.add("MAX_POOL_2D", [x], y, "Pool2DOptions", **options))


@case((0.031, -5), (0.02, 3), (0.5, -100))
def mean(scale, zero_point):
    m = Model()
    x = m.tensor((1, 5, 7, 6), 0.031, -5)
    y = m.tensor((1, 6), scale, zero_point)
    return m.content(x, m.add("MEAN", [x, m.constant([1, 2], dtype=np.int32)], y, "ReducerOptions", keepDims=False))


@case()
def concatenation():
    m = Model()
    x = m.tensor((1, 5, 6, 3), 0.031, -5)
    window = {"padding": SAME, "strideH": 1, "strideW": 1}
    a = m.tensor((1, 5, 6, 2), 0.031, -5)
    m.add("CONV_2D", [x, weights(m, (2, 1, 1, 3), [0.3, 0.2]), bias(m, 2)], a, "Conv2DOptions", **window)
    return m.content(
        x, m.add("CONCATENATION", [x, a], m.tensor((1, 5, 6, 5), 0.031, -5), "ConcatenationOptions", axis=3)
    )


@case()
def padding():
    m = Model()
    x = m.tensor((1, 6, 6, 3), 0.031, -5)
    p = m.tensor((1, 8, 9, 3), 0.031, -5)
    m.add("PAD", [x, m.constant([[0, 0], [1, 1], [1, 2], [0, 0]], dtype=np.int32)], p, "PadOptions")
    y = m.tensor((1, 3, 4, 4), 0.047, 11)
    window = {"padding": VALID, "strideH": 2, "strideW": 2}
    w = weights(m, (4, 3, 3, 3), [0.011, 0.0042, 0.0007, 0.02])
    return m.content(x, m.add("CONV_2D", [p, w, bias(m, 4)], y, "Conv2DOptions", **window))


@case((0.0031,), (0.17,), (2.0,), (0.17, np.uint8))
def softmax(scale, dtype=np.int8):
    m = Model()
    x = m.tensor((1, 20), 0.02, 5)
    y = m.tensor((1, 9), scale, -3)
    m.add("FULLY_CONNECTED", [x, weights(m, (9, 20), scale / 3)], y, "FullyConnectedOptions")
    z = m.tensor((1, 9), 1 / 256, -128)
    m.add("SOFTMAX", [y], z, "SoftmaxOptions", beta=1.0)
    return m.content(x, z if dtype is np.int8 else m.add("QUANTIZE", [z], m.tensor((1, 9), 1 / 256, 0, dtype)))


@case(("RELU",), ("RELU6",))
def activation(kind):
    m = Model()
    x = m.tensor((1, 4, 4, 3), 0.07, -5)
    return m.content(x, m.add(kind, [x], m.tensor((1, 4, 4, 3), 0.05, -20)))


@case((np.uint8, 0.031, 100), (np.uint8, 0.011, 128), (np.int8, 0.07, -3))
def requantized(dtype, scale, zero_point):
    m = Model()
    x = m.tensor((1, 4, 4, 3), scale, zero_point, dtype)
    y = m.tensor((1, 4, 4, 3), 0.031, -28)
    m.add("QUANTIZE", [x], y)
    z = m.tensor((1, 4, 4, 3), 0.031, -28)
    window = {"padding": SAME, "strideH": 1, "strideW": 1, "filterHeight": 2, "filterWidth": 2}
    return m.content(x, m.add("MAX_POOL_2D", [y], z, "Pool2DOptions", **window))


@case()
def floats_in_and_out():
    m = Model()
    x = m.tensor((1, 20), dtype=np.float32)
    q = m.tensor((1, 20), 0.02, 5)
    m.add("QUANTIZE", [x], q)
    y = m.tensor((1, 9), 0.05, -3)
    m.add("FULLY_CONNECTED", [q, weights(m, (9, 20), 0.01)], y, "FullyConnectedOptions")
    return m.content(x, m.add("DEQUANTIZE", [y], m.tensor((1, 9), dtype=np.float32)))


def images(content, count=16):
    """Random codes, or floats with ties, of what the model takes; extremes first."""
    from rowloom.model.formats.tflite.reader import read

    file = read("m", content)
    tensor = file.tensors[file.inputs[0]]
    rng = np.random.default_rng(7)
    if tensor.type == "FLOAT32":
        return (rng.integers(-400, 400, (count, *tensor.shape[1:])) * 0.01).astype(np.float32)
    low = -128 if tensor.type == "INT8" else 0
    x = rng.integers(low, low + 256, (count, *tensor.shape[1:]))
    x[0], x[1] = low, low + 255
    return x.astype(tensor.type.lower())


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference_kernels(name, tmp_path):
    content = CASES[name]()
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    net = rowloom.from_tflite(path)
    x = images(content)
    want = reference(content, x)
    got = host_run(net, x, dequantize=want.dtype.kind == "f")
    assert np.array_equal(got.reshape(want.shape), want)
    middle = np.mean((want > want.min()) & (want < want.max()))
    assert middle > 0.1, "nearly all clip: rounding was not compared"


def test_saved_and_loaded(tmp_path):
    path = tmp_path / "m.tflite"
    content = CASES["softmax-0.17"]()
    path.write_bytes(content)
    net = rowloom.from_tflite(path)
    net.save(tmp_path / "m.rowloom")
    x = images(content)
    assert np.array_equal(host_run(rowloom.load(tmp_path / "m.rowloom"), x), host_run(net, x))
