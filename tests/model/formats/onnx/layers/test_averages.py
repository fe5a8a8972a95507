"""Averages without a quantizer after them, which the next layer takes: equal, and fit for the accelerator."""

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.hw.exact import assert_exact
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)


def start(shape):
    g = Graph(shape)
    return g, g.quant("x", 2.0**-6, bits=8)


def conv(g, x, shape, **options):
    w = g.quant(random_weights(np.random.default_rng(len(shape)), shape, 0.125), 0.125, bits=4, narrow=1)
    return g.add("Conv", x, w, np.arange(shape[0]) / 4, kernel_shape=list(shape[2:]), **options)


def global_average_and_dense():
    g, x = start((1, 5, 4, 4))
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    return g.model(g.add("MatMul", x, g.quant(random_weights(RNG, (5, 3)), 0.25, bits=4)))


def windows_and_convolution():
    g, x = start((1, 4, 17, 19))
    x = g.add("AveragePool", x, kernel_shape=[2, 4], strides=[1, 2])
    x = conv(g, x, (6, 2, 3, 2), strides=[2, 1], dilations=[2, 3], group=2)
    return g.model(g.quant(x, 0.03125, bits=6))


def windows_and_dense():
    g, x = start((1, 3, 7, 8))
    x = g.add("Flatten", g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]))
    return g.model(g.quant(g.add("MatMul", x, g.quant(random_weights(RNG, (36, 5)), 0.25, bits=4)), 0.03125, bits=6))


def windows_that_overlap_and_signs():
    g, x = start((1, 3, 9, 9))
    x = g.add("AveragePool", x, kernel_shape=[4, 4], strides=[1, 1])
    w = g.bipolar(random_weights(RNG, (4, 3, 2, 2)), 0.25)
    return g.model(g.quant(g.add("Conv", x, w, kernel_shape=[2, 2]), 0.03125, bits=6))


def averages_of_averages():
    g, x = start((1, 3, 8, 8))
    for _ in range(2):
        x = g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return g.model(g.quant(conv(g, x, (4, 3, 2, 1)), 0.03125, bits=6))


CASES = [
    *(global_average_and_dense, windows_and_convolution, windows_and_dense, windows_that_overlap_and_signs),
    averages_of_averages,
]


def compared(model, tmp_path):
    """Return the network of a model, equal to its executor."""
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    x = (np.random.default_rng(1).integers(-140, 140, (8, *shape[1:])) / 64).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    assert len(np.unique(want)) > 8
    assert np.array_equal(host_run(net, x, dequantize=True), want)
    return net


@pytest.mark.parametrize("case", CASES)
def test_one_layer_is_left(case, tmp_path):
    assert len(compared(case(), tmp_path).layers) == 1


def test_what_is_told_of_an_average(tmp_path):
    imported = import_file(written(global_average_and_dense(), tmp_path / "m.onnx"))
    told = {note.text: note.layer for note in imported.notes if any("AveragePool" in node for node in note.nodes)}
    assert told == {"averages, as weights of every pixel": "dense1"}


def test_where_the_next_layer_pads_averages_stay_sums(tmp_path):
    g, x = start((1, 3, 8, 8))
    x = conv(g, g.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), (4, 3, 3, 3), pads=[1] * 4)
    net = compared(g.model(g.quant(x, 0.25, bits=5)), tmp_path)
    assert [layer.op for layer in net.layers] == ["average_pool2d", "conv2d"]
    assert net.layers[0].post is None


def test_an_average_that_others_read_stays_too(tmp_path):
    g, x = start((1, 3, 8, 8))
    x = g.add("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1])
    one, two = g.quant(x, 0.25, bits=4), g.quant(conv(g, x, (3, 3, 1, 1)), 0.25, bits=4)
    net = compared(g.model(g.add("Add", one, two)), tmp_path)
    assert [layer.op for layer in net.layers] == ["average_pool2d", "conv2d", "add"]


@pytest.mark.cocotb
@pytest.mark.parametrize("case", [global_average_and_dense])
def test_in_the_accelerator(case, tmp_path):
    net = rowloom.from_qonnx(written(case(), tmp_path / "m.onnx"))
    codes = np.random.default_rng(0).integers(-128, 128, (2, *net.tensor(net.input).shape))
    assert_exact(rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=4)), codes)
