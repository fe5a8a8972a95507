"""Functions of single codes against onnxruntime, over all codes."""

import numpy as np
import pytest
from onnx import TensorProto

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, runtime_outputs, written

pytestmark = pytest.mark.filterwarnings("ignore")

CODES = np.arange(256, dtype=np.uint8)[None]

#: Operator, attributes, and what its results lie between for -6 to 6.
FUNCTIONS = [
    ("Abs", {}, 0, 4),
    ("Ceil", {}, -4, 4),
    ("Celu", {"alpha": 0.7}, -1, 4),
    ("Elu", {"alpha": 0.3}, -1, 4),
    ("Erf", {}, -1, 1),
    ("Exp", {}, 0, 5),
    ("Floor", {}, -4, 4),
    ("Gelu", {}, -0.2, 4),
    ("Gelu", {"approximate": "tanh"}, -0.2, 4),
    ("HardSigmoid", {}, 0, 1),
    ("HardSigmoid", {"alpha": 1 / 6}, 0, 1),
    ("HardSwish", {}, -0.4, 4),
    ("LeakyRelu", {"alpha": 0.01}, -0.1, 4),
    ("Mish", {}, -0.3, 4),
    ("Round", {}, -4, 4),
    ("Selu", {}, -2, 4),
    ("Sigmoid", {}, 0, 1),
    ("Softplus", {}, 0, 4),
    ("Softsign", {}, -1, 1),
    ("Tanh", {}, -1, 1),
    ("ThresholdedRelu", {"alpha": 0.5}, 0, 4),
]


def graph(build, rng, low, high):
    """x of uint8, dequantized, computed and quantized, with scales and zero points of its own."""
    g = Graph((1, 256), opset=20, kind=TensorProto.UINT8)
    scale, point = rng.uniform(0.01, 0.1), int(rng.integers(64, 192))
    x = g.add("DequantizeLinear", "x", g.constant(scale), g.constant(point, np.uint8))
    step = np.float32((high - low) * rng.uniform(0.5, 1.2) / 255)
    zero = g.constant(int(np.clip(np.round(-low / step), 0, 255)), np.uint8)
    y = g.add("QuantizeLinear", build(g, x), g.constant(step), zero)
    return g.model(y, kinds={y: TensorProto.UINT8})


@pytest.mark.parametrize(("kind", "attributes", "low", "high"), FUNCTIONS)
def test_every_code(kind, attributes, low, high, tmp_path):
    rng = np.random.default_rng(len(kind))
    seen = set()
    for _ in range(5):
        model = graph(lambda g, x: g.add(kind, x, **attributes), rng, low, high)
        got = host_run(rowloom.from_onnx(written(model, tmp_path / "m.onnx")), CODES)
        want = next(iter(runtime_outputs(model, CODES).values()))
        assert np.array_equal(got, want)
        seen |= set(want.reshape(-1).tolist())
    assert len(seen) > 5


def pair(g, x, scale, point):
    zero = g.constant(point, np.uint8)
    return g.add("DequantizeLinear", g.add("QuantizeLinear", x, g.constant(scale), zero), g.constant(scale), zero)


def silu(g, x):
    return g.add("Mul", x, pair(g, g.add("Sigmoid", x), 1 / 255, 0))


def hard_swish(g, x):
    y = pair(g, g.add("Clip", pair(g, g.add("Add", x, 3.0), 0.05, 100), 0.0, 6.0), 6 / 255, 0)
    return g.add("Div", pair(g, g.add("Mul", y, x), 0.1, 60), 6.0)


def gelu(g, x):
    y = pair(g, g.add("Erf", g.add("Div", x, np.sqrt(2))), 2 / 255, 128)
    return g.add("Mul", g.add("Mul", x, g.add("Add", y, 1.0)), 0.5)


def quotient(g, x):
    return g.add("Div", x, g.add("Add", g.add("Exp", x), 1.0))


@pytest.mark.parametrize("build", [silu, hard_swish, gelu, quotient])
def test_products_of_functions_of_the_same_codes(build, tmp_path):
    rng = np.random.default_rng(1)
    for _ in range(5):
        model = graph(build, rng, -0.4, 4)
        net = rowloom.from_onnx(written(model, tmp_path / "m.onnx"))
        assert {layer.op for layer in net.layers} == {"add"}
        assert np.array_equal(host_run(net, CODES), next(iter(runtime_outputs(model, CODES).values())))


def test_products_of_two_tensors_are_refused(tmp_path):
    g = Graph((1, 2, 4, 4), opset=17)
    x = pair(g, "x", 0.1, 128)
    y = pair(g, g.add("GlobalAveragePool", x), 0.1, 128)
    with pytest.raises(rowloom.RowloomError, match=r"\(Mul\): multiplies two tensors that are computed"):
        rowloom.from_onnx(written(g.model(g.add("Mul", x, y)), tmp_path / "m.onnx"))


@pytest.mark.parametrize("kind", ["Gelu", "Sigmoid", "Abs"])
def test_a_pool_between_function_and_quantizer(kind, tmp_path):
    g = Graph((1, 3, 8, 8), opset=20)
    y = g.add("MaxPool", g.add(kind, pair(g, "x", 0.03, 128)), kernel_shape=[2, 2], strides=[2, 2])
    model = g.model(pair(g, y, 0.02, 20))
    x = np.random.default_rng(2).normal(0, 2, (4, 3, 8, 8)).astype(np.float32)
    got = host_run(rowloom.from_onnx(written(model, tmp_path / "m.onnx")), x, dequantize=True)
    want = next(iter(runtime_outputs(model, x).values()))
    assert np.array_equal(got, want)
    assert len(np.unique(want)) > 10


def test_what_rises_of_sums(tmp_path):
    g = Graph((1, 3, 6, 6), opset=20)
    w = pair(g, g.constant(np.random.default_rng(3).normal(0, 0.2, (4, 3, 3, 3))), 2.0**-8, 128)
    y = g.add("Conv", pair(g, "x", 2.0**-5, 128), w)
    x = np.random.default_rng(2).normal(0, 2, (4, 3, 6, 6)).astype(np.float32)
    model = g.model(pair(g, g.add("Tanh", y), 2 / 255, 128))
    got = host_run(rowloom.from_onnx(written(model, tmp_path / "m.onnx")), x, dequantize=True)
    assert np.array_equal(got, next(iter(runtime_outputs(model, x).values())))
    model = g.model(pair(g, g.add("Gelu", y), 2 / 255, 128))
    with pytest.raises(rowloom.RowloomError, match="comes after a function that rises and falls"):
        rowloom.from_onnx(written(model, tmp_path / "m.onnx"))
