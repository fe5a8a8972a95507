"""Sigmoids and their kin: in floats, to 80 digits, and in networks, against onnxruntime and qonnx's executor."""

from fractions import Fraction

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.onnx.numbers.curves import DECIMALS, FLOATS, Curve
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, runtime_outputs, written

pytestmark = pytest.mark.filterwarnings("ignore")

NUMBERS = {"Celu": (0.5,), "Elu": (0.75,), "Selu": (1.5, 1.25)}
ATTRIBUTES = {"Celu": {"alpha": 0.5}, "Elu": {"alpha": 0.75}, "Selu": {"alpha": 1.5, "gamma": 1.25}}
OPSETS = {"Gelu": 20, "HardSwish": 14, "Mish": 18}


@pytest.mark.parametrize("kind", sorted(FLOATS))
def test_floats_decimals_and_the_executor_agree(kind):
    """What the executor computes is within 2^-21 of the function, which is what ties are counted by."""
    x = np.concatenate([np.linspace(-30, 30, 4001), [0, -1e-3, 1e-3, -60, 60]]).astype(np.float32)
    curve = Curve(kind, NUMBERS.get(kind, ()))
    floats = curve.compute(x.astype(np.float64), ())
    exact = np.array([float(curve.exact(Fraction(float(each)), ())) for each in x[::50]])
    assert np.allclose(floats[::50], exact, rtol=1e-12, atol=1e-15)
    g = Graph(x[None].shape)
    model = g.model(g.add(kind, "x", **ATTRIBUTES.get(kind, {})))
    (run,) = runtime_outputs(model, x[None]).values()
    near = np.abs(x) < 4
    assert (np.abs(run[0] - floats)[near] < 2.0**-21 * np.maximum(1, np.abs(floats[near]))).all()
    assert set(DECIMALS) == set(FLOATS)


def quantized(kind, bits, after, **options):
    """A convolution, perhaps a quantizer, a curve, and a quantizer."""
    g = Graph((1, 3, 8, 8), opset=OPSETS.get(kind, 17))
    w = g.quant(random_weights(np.random.default_rng(0), (6, 3, 3, 3)), 0.25, bits=4)
    x = g.add("Conv", g.quant("x", 2.0**-5, bits=8), w, np.linspace(-2, 2, 6), kernel_shape=[3, 3])
    if after:
        x = g.quant(x, 2.0**-4, bits=8)
    x = g.add("Mul", x, g.add("Sigmoid", x)) if kind == "SiLU" else g.add(kind, x, **ATTRIBUTES.get(kind, {}))
    return g.model(g.quant(x, 2.0 ** (1 - bits), bits=bits, **options))


def check(model, tmp_path):
    path = written(model, tmp_path / "m.onnx")
    imported = import_file(path)
    x = np.random.default_rng(3).standard_normal((4, 3, 8, 8)).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    assert len(np.unique(want)) > 3
    got = host_run(imported.network, x, dequantize=True)
    assert np.mean(got != want) <= (1e-2 if imported.float_ties else 0)
    return imported


@pytest.mark.parametrize("bits", [3, 8])
@pytest.mark.parametrize("kind", sorted({*FLOATS, "HardSigmoid"} - {"Erf"}))
def test_thresholds_of_sums(kind, bits, tmp_path):
    net = check(quantized(kind, bits, False), tmp_path).network
    assert len(net.layers) == 1


@pytest.mark.parametrize("kind", ["Gelu", "HardSwish", "Mish", "SiLU", "Tanh"])
def test_tables_of_codes(kind, tmp_path):
    net = check(quantized(kind, 6, True), tmp_path).network
    assert [layer.op for layer in net.layers] == ["conv2d", "add"]


def test_what_rises_and_falls_takes_a_quantizer_before(tmp_path):
    path = written(quantized("SiLU", 6, False), tmp_path / "m.onnx")
    with pytest.raises(rowloom.RowloomError, match=r"m.onnx: node Quant_\d \(Quant\): comes after a function that "):
        rowloom.from_qonnx(path)


def test_values_that_share_no_unit_are_refused(tmp_path):
    g = Graph((1, 3, 8, 8))
    w = g.quant(random_weights(np.random.default_rng(0), (6, 3, 3, 3)), 0.25, bits=4)
    path = written(
        g.model(g.add("Conv", g.add("Tanh", g.quant("x", 0.25)), w, kernel_shape=[3, 3])), tmp_path / "m.onnx"
    )
    with pytest.raises(
        rowloom.RowloomError, match=r"\(Conv\): takes codes after a function whose values share no unit"
    ):
        rowloom.from_qonnx(path)


def test_a_sigmoid_at_the_end(tmp_path):
    g = Graph((1, 12))
    w = g.quant(random_weights(np.random.default_rng(0), (12, 5)), 0.25, bits=4)
    model = g.model(g.add("Sigmoid", g.add("MatMul", g.quant("x", 2.0**-4), w)))
    x = np.random.default_rng(3).standard_normal((5, 12)).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    assert np.allclose(host_run(net, x, dequantize=True), want, rtol=1e-5, atol=2.0**-21)
