"""Graphs as converters write them: one-dimensional maps, other orders of axes, branches, ends; and what is refused."""

import re

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.tflite import from_bytes
from rowloom.model.host import host_run
from tests.model.formats.tflite.models import Model, outputs_of
from tests.model.formats.tflite.test_operators import NONE, RELU, SAME, VALID, bias, images, weights

CODES = (0.031, -5)
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def conv(m, x, shape, kernel, *, padding=SAME, stride=(1, 1), scale=0.06, activation=NONE, seed=0):
    channels = m.graph.tensors[x].shape[3]
    w = weights(m, (shape[3], *kernel, channels), np.linspace(0.004, 0.02, shape[3]), seed)
    y = m.tensor(shape, scale, 11)
    options = {"padding": padding, "strideH": stride[0], "strideW": stride[1], "fusedActivationFunction": activation}
    return m.add("CONV_2D", [x, w, bias(m, shape[3])], y, "Conv2DOptions", **options)


def same_codes(m, x, shape):
    """Return a new tensor with the codes of another."""
    q = m.graph.tensors[x].quantization
    return m.tensor(shape, float(q.scale[0]), int(q.zeroPoint[0]))


def reshape(m, x, *shape):
    y = same_codes(m, x, shape)
    return m.add("RESHAPE", [x, m.constant(shape, dtype=np.int32)], y, "ReshapeOptions", newShape=list(shape))


def expand(m, x, axis, shape):
    y = same_codes(m, x, shape)
    return m.add("EXPAND_DIMS", [x, m.constant(axis, dtype=np.int32)], y, "ExpandDimsOptions")


def squeeze(m, x, axis, shape):
    return m.add("SQUEEZE", [x], same_codes(m, x, shape), "SqueezeOptions", squeezeDims=[axis])


def transpose(m, x, *order):
    y = same_codes(m, x, [m.graph.tensors[x].shape[axis] for axis in order])
    return m.add("TRANSPOSE", [x, m.constant(order, dtype=np.int32)], y, "TransposeOptions")


def concat(m, parts, axis, shape):
    return m.add("CONCATENATION", parts, same_codes(m, parts[0], shape), "ConcatenationOptions", axis=axis)


def dense(m, x, count, scale=0.5):
    taps = int(np.prod(m.graph.tensors[x].shape[1:]))
    y = m.tensor((1, count), scale, 3)
    inputs = [x, weights(m, (count, taps), 0.0113), bias(m, count, 0.0113 * 0.06)]
    return m.add("FULLY_CONNECTED", inputs, y, "FullyConnectedOptions")


@case
def one_dimension_as_keras_writes_it():
    """Conv1D expands the second axis, pools the third: the same map as a row and as a column."""
    m = Model()
    x = m.tensor((1, 20, 3), *CODES)
    a = conv(m, expand(m, x, 1, (1, 1, 20, 3)), (1, 1, 10, 6), (1, 5), stride=(2, 2), activation=RELU)
    b = expand(m, squeeze(m, a, 1, (1, 10, 6)), 2, (1, 10, 1, 6))
    c = same_codes(m, b, (1, 5, 1, 6))
    window = {"padding": SAME, "strideH": 2, "strideW": 1, "filterHeight": 3, "filterWidth": 1}
    m.add("AVERAGE_POOL_2D", [b], c, "Pool2DOptions", **window)
    d = expand(m, squeeze(m, c, 2, (1, 5, 6)), -3, (1, 1, 5, 6))
    e = squeeze(m, conv(m, d, (1, 1, 3, 4), (1, 3), padding=VALID, seed=1), 1, (1, 3, 4))
    y = m.tensor((1, 4), 0.05, -3)
    return m.content(x, m.add("MEAN", [e, m.constant([1], dtype=np.int32)], y, "ReducerOptions", keepDims=False))


@case
def a_causal_convolution():
    m = Model()
    x = m.tensor((1, 12, 3), *CODES)
    p = same_codes(m, x, (1, 14, 3))
    m.add("PAD", [x, m.constant([[0, 0], [2, 0], [0, 0]], dtype=np.int32)], p, "PadOptions")
    y = conv(m, reshape(m, p, 1, 1, 14, 3), (1, 1, 12, 4), (1, 3), padding=VALID)
    return m.content(x, dense(m, y, 5))


@case
def an_input_with_its_channels_first():
    """As files that were torch modules begin and end."""
    m = Model()
    x = m.tensor((1, 3, 6, 7), *CODES)
    a = conv(m, transpose(m, x, 0, 2, 3, 1), (1, 6, 7, 5), (3, 3))
    return m.content(x, transpose(m, a, 0, 3, 1, 2))


@case
def floats_with_their_channels_first():
    m = Model()
    x = m.tensor((1, 3, 6, 7), dtype=np.float32)
    t = m.tensor((1, 6, 7, 3), dtype=np.float32)
    m.add("TRANSPOSE", [x, m.constant([0, 2, 3, 1], dtype=np.int32)], t, "TransposeOptions")
    q = m.add("QUANTIZE", [t], m.tensor((1, 6, 7, 3), *CODES))
    return m.content(x, m.add("DEQUANTIZE", [conv(m, q, (1, 6, 7, 5), (3, 3))], m.tensor((1, 6, 7, 5), dtype="f4")))


@case
def flattened_with_the_channels_first():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    a = conv(m, x, (1, 5, 4, 6), (3, 3))
    return m.content(x, dense(m, reshape(m, transpose(m, a, 0, 3, 1, 2), 1, 120), 7))


@case
def flattened_maps_that_are_joined():
    """What follows each other is not the channels of the pixels."""
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    a, b = conv(m, x, (1, 5, 4, 6), (3, 3)), conv(m, x, (1, 5, 4, 2), (1, 1), seed=1)
    both = concat(m, [reshape(m, a, 1, 120), reshape(m, b, 1, 40)], 1, (1, 160))
    return m.content(x, dense(m, both, 7))


@case
def joined_along_the_height():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    a, b = conv(m, x, (1, 5, 4, 2), (3, 3)), conv(m, x, (1, 5, 4, 2), (1, 1), seed=1)
    return m.content(x, dense(m, concat(m, [a, b], 1, (1, 10, 4, 2)), 7))


@case
def three_consumers_and_two_outputs():
    m = Model()
    x = m.tensor((1, 5, 4, 6), *CODES)
    a = conv(m, x, (1, 5, 4, 6), (3, 3), scale=0.2)
    b, c = conv(m, a, (1, 5, 4, 6), (3, 3), scale=0.9), conv(m, a, (1, 5, 4, 6), (1, 1), scale=0.4)
    s = m.add("ADD", [b, a], m.tensor((1, 5, 4, 6), 1.1, 0), "AddOptions")
    t = m.add("ADD", [c, s], m.tensor((1, 5, 4, 6), 1.3, -7), "AddOptions")
    return m.content(x, t, a, dense(m, s, 3, 40.0))


@case
def one_buffer_of_weights_twice():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    w, b = weights(m, (3, 3, 3, 3), 0.011), bias(m, 3)
    options = {"padding": SAME, "strideH": 1, "strideW": 1}
    a = m.add("CONV_2D", [x, w, b], m.tensor((1, 5, 4, 3), 0.06, 11), "Conv2DOptions", **options)
    return m.content(x, m.add("CONV_2D", [a, w, b], m.tensor((1, 5, 4, 3), 0.1, 1), "Conv2DOptions", **options))


@case
def halves_of_a_dense_layer():
    """All scales are powers of two, so that many sums lie on a half: they go away from zero."""
    m = Model()
    x = m.tensor((1, 6), 0.5, 3)
    w = m.constant(np.random.default_rng(0).integers(-8, 9, (8, 6)), 0.25)
    return m.content(x, m.add("FULLY_CONNECTED", [x, w, -1], m.tensor((1, 8), 1.0, 1), "FullyConnectedOptions"))


@case
def weights_of_four_bits():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    codes = np.random.default_rng(0).integers(-8, 8, 135)
    packed = np.append(codes, 0).reshape(-1, 2) & 15
    w = m.constant(packed[:, 0] | packed[:, 1] << 4, [0.11, 0.2, 0.15, 0.1, 0.3], dtype=np.uint8)
    m.graph.tensors[w].shape, m.graph.tensors[w].type = [5, 3, 3, 3], 17
    options = {"padding": SAME, "strideH": 1, "strideW": 1}
    y = m.tensor((1, 5, 4, 5), 0.2, 11)
    return m.content(x, m.add("CONV_2D", [x, w, bias(m, 5)], y, "Conv2DOptions", **options))


@case
def a_kind_that_only_the_wide_field_tells():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    y = m.add("RELU", [x], m.tensor((1, 5, 4, 3), 0.02, -20))
    m.model.operatorCodes[0].deprecatedBuiltinCode = 0
    return m.content(x, y)


@case
def dense_layers_of_pixels():
    """A dense layer of every pixel, as a matrix of pixels and channels and back."""
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    flat = reshape(m, x, 20, 3)
    y = m.tensor((20, 6), 0.05, 11)
    m.add("FULLY_CONNECTED", [flat, weights(m, (6, 3), 0.0113), bias(m, 6, 0.0113 * 0.031)], y, "FullyConnectedOptions")
    return m.content(x, conv(m, reshape(m, y, 1, 5, 4, 6), (1, 5, 4, 2), (3, 3)))


@case
def padding_of_its_own():
    """A PAD before an ADD, one of channels, and one wider than the kernel after it."""
    m = Model()
    x = m.tensor((1, 4, 4, 3), *CODES)
    a = conv(m, x, (1, 4, 4, 3), (3, 3))
    p = same_codes(m, a, (1, 7, 6, 5))
    m.add("PAD", [a, m.constant([[0, 0], [1, 2], [0, 2], [1, 1]], dtype=np.int32)], p, "PadOptions")
    b = conv(m, p, (1, 7, 6, 5), (3, 3), scale=0.2)
    s = m.add("ADD", [p, b], m.tensor((1, 7, 6, 5), 0.2, 3), "AddOptions")
    q = same_codes(m, s, (1, 11, 6, 5))
    m.add("PAD", [s, m.constant([[0, 0], [2, 2], [0, 0], [0, 0]], dtype=np.int32)], q, "PadOptions")
    return m.content(x, conv(m, q, (1, 11, 6, 2), (1, 1), padding=VALID, scale=0.4))


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference_kernels(name):
    content = CASES[name]()
    net = from_bytes("m", "m", content).network
    x = images(content)
    wanted = outputs_of(content, x)
    got = host_run(net, x, dequantize=wanted[0].dtype.kind == "f")
    given = list(got.values()) if isinstance(got, dict) else [got]
    assert len(given) == len(wanted)
    for one, want in zip(given, wanted, strict=True):
        assert np.array_equal(one.reshape(want.shape), want)
        assert np.mean((want > want.min()) & (want < want.max())) > 0.1


def refusal(content):
    with pytest.raises(rowloom.RowloomError) as caught:
        from_bytes("m.tflite", "m", content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("MIRROR_PAD", "MirrorPadOptions", r"operator 0 \(MIRROR_PAD\): is not supported, supported: ADD, "),
        ("WHILE", "WhileOptions", r"operator 0 \(WHILE\): is not supported"),
        ("VAR_HANDLE", "VarHandleOptions", r"operator 0 \(VAR_HANDLE\): is not supported"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", None, r"\(UNIDIRECTIONAL_SEQUENCE_LSTM\): is not supported"),
        ("TRANSPOSE_CONV", None, r"operator 0 \(TRANSPOSE_CONV\): is not supported"),
        ("LOG_SOFTMAX", None, r"\(LOG_SOFTMAX\): works on integers, need floats, after DEQUANTIZE, or SOFTMAX"),
    ],
)
def test_operators_that_are_refused(kind, options, told):
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    y = m.tensor((1, 5, 4, 3), *CODES)
    assert re.search(
        rf"^m\.tflite: .*{told}", refusal(m.content(x, m.add(kind, [x, x][: 1 + (kind == "MUL")], y, options)))
    )


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_activations_of_other_types(dtype):
    m = Model()
    x = m.tensor((1, 5, 4, 3), 0.1, 0, dtype)
    y = m.tensor((1, 5, 4, 3), 0.1, 0, dtype)
    told = r"^m\.tflite: operator 0 \(RELU\): tensor t[01] is (INT16|FLOAT32), need int8 with one scale$"
    assert re.search(told, refusal(m.content(x, m.add("RELU", [x], y))))


def test_weights_that_become_floats():
    """As a file of float16 weights has them, or one whose training did not quantize a layer."""
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    y = m.add("DEQUANTIZE", [m.constant([1, 2], 0.5)], m.tensor((2,), dtype=np.float32))
    told = "operator 0 (DEQUANTIZE): makes floats of t1, a constant of INT8, need layers of int8 weights"
    assert told in refusal(m.content(x, y))


def test_a_custom_operator():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    y = m.add("CUSTOM", [x], m.tensor((1, 5, 4, 3), *CODES))
    m.model.operatorCodes[0].customCode = b"TFLite_Detection_PostProcess"
    assert "operator 0 (CUSTOM TFLite_Detection_PostProcess): is not supported" in refusal(m.content(x, y))


def test_a_second_graph():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    content = m.content(x, m.add("RELU", [x], m.tensor((1, 5, 4, 3), *CODES)))
    assert content
    m.model.subgraphs = [m.graph, m.graph]
    assert refusal(m.packed()) == "m.tflite: has 2 graphs, need one, without control flow"


def test_a_variable():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    y = m.add("RELU", [x], m.tensor((1, 5, 4, 3), *CODES))
    m.graph.tensors[m.tensor((1, 3), *CODES)].isVariable = True
    assert refusal(m.content(x, y)) == "m.tflite: tensor t2 is a variable, need a network without a state"


def test_operators_without_inputs():
    m = Model()
    x = m.tensor((1, 5, 4, 3), *CODES)
    content = m.content(x, m.add("MAX_POOL_2D", [], m.tensor((1, 5, 4, 3), *CODES), "Pool2DOptions"))
    assert "operator 0 (MAX_POOL_2D): has no input or no output" in refusal(content)


def test_maps_of_other_sizes_cannot_be_flattened_together():
    m = Model()
    x = m.tensor((1, 4, 4, 3), *CODES)
    a, b = conv(m, x, (1, 4, 4, 6), (3, 3)), conv(m, x, (1, 2, 2, 2), (1, 1), stride=(2, 2))
    both = concat(m, [reshape(m, a, 1, 96), reshape(m, b, 1, 8)], 1, (1, 104))
    assert "joins maps of (4, 4, 6) and (2, 2, 2) along axis 1" in refusal(m.content(x, dense(m, both, 7)))


def test_slices_whose_ends_count_from_their_begins():
    m = Model()
    x = m.tensor((1, 4, 4, 3), *CODES)
    bounds = [m.constant(each, dtype=np.int32) for each in ([0, 1, 0, 0], [1, 3, 4, 3], [1, 1, 1, 1])]
    y = m.add("STRIDED_SLICE", [x, *bounds], m.tensor((1, 3, 4, 3), *CODES), "StridedSliceOptions", offset=True)
    assert "(STRIDED_SLICE): has an ellipsis, a new axis or ends that count from begins" in refusal(m.content(x, y))


def test_a_constant_that_is_written():
    m = Model()
    x = m.tensor((1, 2), *CODES)
    y = m.add("RELU", [x], m.constant([[3, 4]], *CODES))
    assert refusal(m.content(x, y)) == (
        "m.tflite: operator 0 (RELU): writes t1 although it is constant, need one writer a tensor"
    )


def test_scales_too_far_apart():
    m = Model()
    x = m.tensor((1, 2), 3e38, 0)
    y = m.add("RELU", [x], m.tensor((1, 2), 1e-30, 0))
    assert "operator 0 (RELU): scale: rescales by inf, need scales nearer to each other" in refusal(m.content(x, y))


def test_an_output_of_another_type():
    m = Model()
    x = m.tensor((1, 2), *CODES)
    y = m.add("RELU", [x], m.tensor((1, 2), *CODES))
    z = m.add("RESHAPE", [y], m.tensor((1, 2), dtype=np.float32), "ReshapeOptions", newShape=[1, 2])
    assert refusal(m.content(x, z)) == "m.tflite: output t2: is FLOAT32, need floats after DEQUANTIZE, else integers"
