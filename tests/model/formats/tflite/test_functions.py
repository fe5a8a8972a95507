"""Functions of single codes, over all codes, against the reference kernels; some of them in the accelerator."""

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.tflite import from_bytes
from rowloom.model.host import host_codes, host_run
from tests.hw.exact import assert_exact
from tests.model.formats.tflite.models import Model, reference
from tests.model.formats.tflite.test_graphs import conv

#: Scale and zero point of input and output.
SCALES = [
    ((0.05, -3), (0.05, -3)),
    ((0.031, -128), (0.02, -128)),
    ((0.0625, 0), (0.03125, 5)),
    ((0.11, 127), (0.047, -100)),
    ((0.5, 17), (1.0, 0)),
    ((0.004, 0), (0.009, -1)),
]
ENDS = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
SLOPES = {"LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.3})}


def every_code(m, codes):
    return m.tensor((1, 16, 16, 1), *codes)


def function(kind):
    def made(source, target):
        m = Model()
        x = every_code(m, source)
        options, fields = SLOPES.get(kind, (None, {}))
        return m.content(x, m.add(kind, [x], m.tensor((1, 16, 16, 1), *ENDS.get(kind, target)), options, **fields))

    return made


def limit(kind):
    def made(source, _):
        m = Model()
        x = every_code(m, source)
        code = m.constant(np.array(-20 if kind == "MAXIMUM" else 33), *source)
        return m.content(x, m.add(kind, [x, code], every_code(m, source), "MaximumMinimumOptions"))

    return made


def swish(source, target):
    """x * sigmoid(x), as the converter writes it."""
    m = Model()
    x = every_code(m, source)
    y = m.add("LOGISTIC", [x], every_code(m, ENDS["LOGISTIC"]))
    return m.content(x, m.add("MUL", [x, y], every_code(m, target), "MulOptions"))


def hard_swish_in_pieces(source, target):
    """x * relu6(x + 3) / 6."""
    m = Model()
    x = every_code(m, source)
    three, sixth = m.constant(np.array(127), 3 / 127), m.constant(np.array(127), 1 / 6 / 127)
    y = m.add("ADD", [x, three], every_code(m, (6 / 255, -128)), "AddOptions", fusedActivationFunction=3)
    y = m.add("MUL", [sixth, y], every_code(m, (1 / 255, -128)), "MulOptions")
    return m.content(x, m.add("MUL", [y, x], every_code(m, target), "MulOptions"))


CASES = {
    kind: function(kind)
    for kind in ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE")
} | {"MAXIMUM": limit("MAXIMUM"), "MINIMUM": limit("MINIMUM"), "swish": swish, "pieces": hard_swish_in_pieces}


@pytest.mark.parametrize("scales", range(len(SCALES)))
@pytest.mark.parametrize("name", CASES)
def test_every_code(name, scales):
    content = CASES[name](*SCALES[scales])
    x = np.arange(-128, 128).astype(np.int8).reshape(1, 16, 16, 1)
    if name == "QUANTIZE" and SCALES[scales][0] == SCALES[scales][1]:
        with pytest.raises(rowloom.RowloomError, match=r"holds no layer|feeds no layer|comes from no layer"):
            from_bytes("m", "m", content)
        return
    want = reference(content, x)
    assert np.array_equal(host_run(from_bytes("m", "m", content).network, x), want.reshape(x.shape))


@pytest.mark.parametrize("slopes", [(1, 1, 6), (6,), (1,)])
def test_slopes_of_their_own(slopes):
    m = Model()
    x = m.tensor((1, 6, 7, 6), 0.05, -3)
    alpha = m.constant(np.random.default_rng(0).integers(-100, 128, slopes), 0.003, -100)
    content = m.content(x, m.add("PRELU", [x, alpha], m.tensor((1, 6, 7, 6), 0.03, 9)))
    codes = np.random.default_rng(1).integers(-128, 128, (8, 6, 7, 6)).astype(np.int8)
    want = reference(content, codes)
    assert np.array_equal(host_run(from_bytes("m", "m", content).network, codes), want.reshape(codes.shape))


def quantized_dense_of_a_map():
    """As Keras' Dense of a map: the sizes of the matrix are computed of the map's."""
    m = Model()
    x = m.tensor((1, 5, 4, 3), 0.031, -5)
    shape = m.add("SHAPE", [x], m.tensor((4,), dtype=np.int32), "ShapeOptions", outType=2)
    front = m.tensor((3,), dtype=np.int32)
    m.add("GATHER", [shape, m.constant([0, 1, 2], dtype=np.int32)], front, "GatherOptions")
    rows = m.tensor((), dtype=np.int32)
    m.add("REDUCE_PROD", [front, m.constant([0], dtype=np.int32)], rows, "ReducerOptions")
    sizes = m.add("PACK", [rows, m.constant(3, dtype=np.int32)], m.tensor((2,), dtype=np.int32), "PackOptions")
    m.graph.operators[-1].builtinOptions.valuesCount = 2
    flat = m.tensor((1, 1), 0.031, -5)
    m.graph.tensors[flat].shapeSignature = [-1, -1]
    m.add("RESHAPE", [x, sizes], flat)
    y = m.tensor((1, 6), 0.05, 11)
    m.graph.tensors[y].shapeSignature = [-1, 6]
    w = m.constant(np.random.default_rng(0).integers(-127, 128, (6, 3)), 0.0113)
    m.add("FULLY_CONNECTED", [flat, w, -1], y, "FullyConnectedOptions")
    back = m.tensor((1, 5, 4, 6), 0.05, 11)
    whole = m.tensor((4,), dtype=np.int32)
    m.add("CONCATENATION", [front, m.constant([6], dtype=np.int32)], whole, "ConcatenationOptions", axis=0)
    return m.content(x, m.add("RESHAPE", [y, whole], back))


def a_vector_made_a_map():
    m = Model()
    x = m.tensor((1, 1, 1, 12), 0.031, -5)
    y = conv(m, x, (1, 1, 1, 32), (1, 1))
    z = m.tensor((1, 4, 4, 2), 0.06, 11)
    m.add("RESHAPE", [y, m.constant([-1, 4, 4, 2], dtype=np.int32)], z)
    return m.content(x, conv(m, z, (1, 4, 4, 5), (3, 3), scale=0.2))


def a_dilated_convolution():
    """As converters write it: every second column of a batch of its own."""
    m = Model()
    x = m.tensor((1, 6, 9, 3), 0.031, -5)
    a = m.tensor((1, 4, 6, 3), 0.031, -5)
    m.graph.tensors[a].shapeSignature = [-1, 4, 6, 3]
    sides = m.constant([2, 2], dtype=np.int32)
    m.add("SPACE_TO_BATCH_ND", [x, sides, m.constant([[2, 0], [2, 1]], dtype=np.int32)], a)
    b = conv(m, a, (1, 2, 4, 5), (3, 3), padding=1)
    m.graph.tensors[b].shapeSignature = [-1, 2, 4, 5]
    c = m.tensor((1, 4, 7, 5), 0.06, 11)
    return m.content(x, m.add("BATCH_TO_SPACE_ND", [b, sides, m.constant([[0, 0], [0, 1]], dtype=np.int32)], c))


GRAPHS = (quantized_dense_of_a_map, a_vector_made_a_map, a_dilated_convolution)


@pytest.mark.parametrize("graph", GRAPHS)
def test_sizes_that_are_computed(graph):
    content = graph()
    net = from_bytes("m", "m", content).network
    x = np.random.default_rng(1).integers(-128, 128, (8, *net.input_view.arrangement.shape)).astype(np.int8)
    want = reference(content, x)
    got = host_run(net, x)
    assert np.array_equal(got.reshape(want.shape), want)
    assert np.mean((want > want.min()) & (want < want.max())) > 0.1


def functions_in_a_row():
    """HARD_SWISH falls and rises; then a slope for each channel, and a limit."""
    m = Model()
    x = m.tensor((1, 5, 6, 3), 0.031, -5)
    a = conv(m, x, (1, 5, 6, 4), (3, 3), scale=0.05)
    b = m.add("HARD_SWISH", [a], m.tensor((1, 5, 6, 4), 0.03, -100))
    slopes = m.constant([0, 40, 80, 120], 0.003)
    c = m.add("PRELU", [b, slopes], m.tensor((1, 5, 6, 4), 0.025, -50))
    d = m.tensor((1, 5, 6, 4), 0.025, -50)
    m.add("MINIMUM", [c, m.constant(np.array(60), 0.025, -50)], d, "MaximumMinimumOptions")
    return m.content(x, m.add("LOGISTIC", [d], m.tensor((1, 5, 6, 4), *ENDS["LOGISTIC"])))


def averages_of_uneven_windows():
    """AVERAGE_POOL_2D, SAME: windows that lack taps on all sides, strides that leave an end, a window over the map."""
    m = Model()
    x = m.tensor((1, 9, 10, 3), 0.031, -5)
    a = conv(m, x, (1, 9, 10, 4), (3, 3), scale=0.05)
    for size, kernel, stride in (((5, 4), (3, 5), (2, 3)), ((2, 4), (7, 3), (3, 1)), ((1, 2), (4, 6), (2, 2))):
        b = m.tensor((1, *size, 4), 0.05, 11)
        window = {"padding": 0, "strideH": stride[0], "strideW": stride[1], "filterHeight": kernel[0]}
        m.add("AVERAGE_POOL_2D", [a], b, "Pool2DOptions", filterWidth=kernel[1], **window)
        a = b
    return m.content(x, a)


@pytest.mark.cocotb
@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("graph", [functions_in_a_row, averages_of_uneven_windows, a_dilated_convolution])
def test_in_the_accelerator(graph, stalls):
    content = graph()
    net = from_bytes("m", "m", content).network
    x = np.random.default_rng(2).integers(-128, 128, (3, *net.tensor(net.input).shape)).astype(np.int8)
    want = reference(content, x)
    assert np.array_equal(host_run(net, x).reshape(want.shape), want)
    assert len(np.unique(want)) > 8
    design = rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=4))
    assert_exact(design, host_codes(net, x), stalls=stalls)
