"""What the host does after the last layer: every axis, and equals in the order in which onnxruntime gives them."""

import numpy as np
import pytest
from onnx import TensorProto

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")

INT64 = TensorProto.INT64


def scores(shape=(1, 3, 4, 5), *, opset=17, bits=3):
    """Few levels: many equals."""
    g = Graph(shape, opset=opset)
    x = g.quant("x", 2.0**-3, bits=5)
    w = g.quant(random_weights(np.random.default_rng(0), (6, 3, 1, 1)), 0.25, bits=3)
    return g, g.quant(g.add("Conv", x, w, kernel_shape=[1, 1]), 0.5, bits=bits)


def vector(count=10, *, opset=17, channels=12):
    g = Graph((1, channels), opset=opset)
    x = g.quant("x", 2.0**-3, bits=5)
    w = g.quant(random_weights(np.random.default_rng(1), (channels, count)), 0.25, bits=3)
    return g, g.quant(g.add("MatMul", x, w), 1.0, bits=3)


def check(model, tmp_path, near=False):
    """Real numbers equal the executor's, before and after the network was saved; codes have their shape."""
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    x = (np.random.default_rng(2).integers(-20, 21, (6, *shape)) * 2.0**-4).astype(np.float32)
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    net.save(tmp_path / "m.rowloom")
    want = qonnx_outputs(model, x)
    for each in (net, rowloom.load(tmp_path / "m.rowloom")):
        got, codes = (host_run(each, x, dequantize=dequantize) for dequantize in (True, False))
        for name, array in want.items():
            y, c = (part[name] if isinstance(part, dict) else part for part in (got, codes))
            assert y.shape == c.shape == array.shape
            assert np.unique(array).size > 1
            np.testing.assert_allclose(y, array, rtol=1e-5 if near else 0)
            if array.dtype == np.int64:
                assert np.array_equal(c, array)
    return net


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("kind", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("options", [{}, {"keepdims": 0}, {"select_last_index": 1}])
def test_places_of_the_greatest(kind, axis, options, tmp_path):
    g, x = scores()
    y = g.add(kind, x, axis=axis, **options)
    check(g.model(y, kinds={y: INT64}), tmp_path)


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("k", [1, 3])
def test_top_k(k, largest, axis, tmp_path):
    g, x = scores()
    values, places = g.add("TopK", x, g.constant([k], np.int64), outputs=2, axis=axis, largest=largest)
    check(g.model(values, places, kinds={places: INT64}), tmp_path)


@pytest.mark.parametrize("opset", [9, 10, 13])
def test_top_k_of_a_vector(opset, tmp_path):
    g, x = vector(opset=opset)
    k, options = ([g.constant([5], np.int64)], {}) if opset > 9 else ([], {"k": 5})
    values, places = g.add("TopK", x, *k, outputs=2, axis=-1, **options)
    check(g.model(values, places, kinds={places: INT64}), tmp_path)


def test_one_of_top_k_is_a_layer(tmp_path):
    g, x = vector()
    _, place = g.add("TopK", x, g.constant([1], np.int64), outputs=2)
    net = check(g.model(place, kinds={place: INT64}), tmp_path)
    assert net.layers[-1].op == "argmax"


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_softmax(kind, axis, opset, tmp_path):
    """Before opset 13 from the axis on to the last one."""
    g, x = scores(opset=opset)
    check(g.model(g.add(kind, x, axis=axis)), tmp_path, near=True)


def test_what_comes_after(tmp_path):
    """Softmax, then other axes, then the five greatest and their places."""
    g, x = scores()
    x = g.add("Softmax", g.add("Relu", g.add("Transpose", x, perm=[0, 2, 3, 1])), axis=-1)
    x = g.add("Reshape", x, g.constant([1, -1, 6], np.int64))
    x = g.add("Unsqueeze", g.add("Transpose", x, perm=[0, 2, 1]), g.constant([1], np.int64))
    values, places = g.add("TopK", g.add("Flatten", x), g.constant([5], np.int64), outputs=2)
    places = g.add("Identity", places)
    check(g.model(x, values, places, kinds={places: INT64}), tmp_path, near=True)


def test_scores_of_unlike_scales(tmp_path):
    """Scales that differ by channel: compared as the real numbers that they stand for."""
    g, x = vector()
    x = g.add("Mul", x, 2.0 ** np.random.default_rng(3).integers(-2, 3, 10))
    y = g.add("ArgMax", x, axis=1)
    values, places = g.add("TopK", x, g.constant([4], np.int64), outputs=2)
    check(g.model(y, values, places, kinds={y: INT64, places: INT64}), tmp_path)


def test_channels_taken_apart_at_the_end(tmp_path):
    g, x = scores()
    check(g.model(g.add("Reshape", x, g.constant([1, 2, 3, 4, 5], np.int64))), tmp_path)


@pytest.mark.parametrize(
    ("kind", "more", "problem"),
    [
        ("Relu", [], r"comes after softmax, which the host computes, need that at the end"),
        ("TopK", [[7]], r"takes the 7 greatest of 6"),
        ("Transpose", [], r"permutes 4 axes by \[3, 2, 1, 0\]"),
    ],
)
def test_refused(kind, more, problem, tmp_path):
    g, x = scores()
    x = g.add("Softmax", x, axis=1)
    options = {"axis": 1, "outputs": 2} if kind == "TopK" else {}
    y = g.add(kind, x, *(g.constant(each, np.int64) for each in more), **options)
    with pytest.raises(rowloom.RowloomError, match=rf"m.onnx: node {kind}_\d+ \({kind}\): {problem}"):
        rowloom.from_qonnx(written(g.model(y if isinstance(y, str) else y[0]), tmp_path / "m.onnx"))
