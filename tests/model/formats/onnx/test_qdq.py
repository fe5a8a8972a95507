"""QuantizeLinear and DequantizeLinear, as onnxruntime and torchao write them, against onnxruntime without fusions."""

import numpy as np
import pytest
from onnx import TensorProto

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, runtime_outputs, written

pytestmark = pytest.mark.filterwarnings("ignore")


def pair(g, x, scale, zero_point=0, dtype=np.int8, kind=None):
    """A quantizer and its inverse."""
    point = g.constant(zero_point, dtype, kind)
    q = g.add("QuantizeLinear", x, g.constant(scale), point)
    return g.add("DequantizeLinear", q, g.constant(scale), point)


def weights(g, shape, scale, dtype=np.int8, axis=0, kind=None, low=-127, high=127):
    rng = np.random.default_rng(sum(shape))
    codes = g.constant(rng.integers(low, high + 1, shape), dtype, kind)
    scale = np.asarray(scale, np.float32)
    point = g.constant(np.zeros(scale.shape, np.int64), dtype, kind)
    options = {"axis": axis} if scale.ndim else {}
    return g.add("DequantizeLinear", codes, g.constant(scale), point, **options)


def check(model, tmp_path, x):
    net = rowloom.from_onnx(written(model, tmp_path / "m.onnx"))
    want = runtime_outputs(model, x)
    got = host_run(net, x, dequantize=True)
    got = got if isinstance(got, dict) else {next(iter(want)): got}
    for name, array in want.items():
        assert np.array_equal(got[name].astype(array.dtype), array), f"{np.mean(got[name] != array):.2%} differ"
        assert len(np.unique(array)) > 2
    return net


def images(*shape):
    rng = np.random.default_rng(5)
    return (rng.integers(-300, 301, (4, *shape)) * 2.0**-6).astype(np.float32)


@pytest.mark.parametrize(("dtype", "point"), [(np.int8, -3), (np.uint8, 128), (np.uint8, 0), (np.int16, 100)])
def test_convolutions(dtype, point, tmp_path):
    g = Graph((1, 3, 8, 8), opset=21)
    x = pair(g, "x", 2.0**-5, point, dtype)
    w = weights(g, (4, 3, 3, 3), 2.0 ** -np.arange(4, 8))
    b = g.add("DequantizeLinear", g.constant([100, -50, 7, 0], np.int32), g.constant(2.0**-9))
    x = g.add("Relu", g.add("Conv", x, w, b, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    x = pair(
        g, g.add("MaxPool", pair(g, x, 0.125, point, dtype), kernel_shape=[2, 2], strides=[2, 2]), 0.125, point, dtype
    )
    x = pair(g, g.add("GlobalAveragePool", x), 0.0625, point, dtype)
    x = g.add("Flatten", x)
    w = weights(g, (4, 10), 2.0 ** -np.arange(1, 11), axis=1)
    check(g.model(pair(g, g.add("MatMul", x, w), 0.25, point, dtype)), tmp_path, images(3, 8, 8))


def test_residual_and_concat(tmp_path):
    g = Graph((1, 4, 6, 6), opset=17)
    x = pair(g, "x", 2.0**-5)
    y = pair(g, g.add("Conv", x, weights(g, (4, 4, 1, 1), 2.0**-8)), 2.0**-4, 5)
    z = pair(g, g.add("Add", x, y), 2.0**-4, -7)
    z = pair(g, g.add("Concat", z, y, axis=1), 2.0**-3)
    check(g.model(z), tmp_path, images(4, 6, 6))


def test_integers_in_and_out(tmp_path):
    g = Graph((1, 16), opset=17, kind=TensorProto.UINT8)
    x = g.add("DequantizeLinear", "x", g.constant(0.25), g.constant(128, np.uint8))
    x = g.add("Gemm", x, weights(g, (5, 16), 0.5), transB=1)
    q = g.add("QuantizeLinear", x, g.constant(8.0), g.constant(10, np.uint8))
    x = np.random.default_rng(0).integers(0, 256, (9, 16), dtype=np.uint8)
    model = g.model(q, kinds={q: TensorProto.UINT8})
    net = check(model, tmp_path, x)
    assert np.array_equal(host_run(net, x), runtime_outputs(model, x)[q])


def test_four_bits(tmp_path):
    g = Graph((1, 3, 6, 6), opset=21)
    x = pair(g, "x", 0.25, 0, kind=TensorProto.INT4)
    w = weights(g, (4, 3, 3, 3), 2.0**-2, kind=TensorProto.INT4, low=-8, high=7)
    net = check(g.model(pair(g, g.add("Conv", x, w), 1.0, 3, kind=TensorProto.UINT4)), tmp_path, images(3, 6, 6))
    assert [net.tensor(name).encoding.bits for name in ("input", "conv1")] == [4, 4]
    assert net.layers[0].weight_encoding.bits == 4


def test_weights_that_the_graph_quantizes(tmp_path):
    g = Graph((1, 3, 6, 6), opset=13)
    w = pair(g, g.constant(np.random.default_rng(0).standard_normal((4, 3, 3, 3))), 2.0**-5)
    check(g.model(pair(g, g.add("Conv", pair(g, "x", 2.0**-4), w), 0.5)), tmp_path, images(3, 6, 6))


def test_float_layers_are_refused(tmp_path):
    g = Graph((1, 3, 6, 6))
    w = np.random.default_rng(0).standard_normal((4, 3, 3, 3))
    model = g.model(g.add("Conv", pair(g, "x", 0.1), w))
    with pytest.raises(rowloom.RowloomError, match=r"m.onnx: node Conv_\d \(Conv\): has weights that are floats"):
        rowloom.from_onnx(written(model, tmp_path / "m.onnx"))


@pytest.mark.parametrize(("low", "high", "bits"), [(-8, 7, 4), (-7, 7, 4), (-1, 1, 2), (0, 3, 2)])
def test_fewer_bits_by_clip(low, high, bits, tmp_path):
    """Brevitas writes 4 bits as 8 bits and a Clip of the codes: one layer, whose codes are narrow."""
    g = Graph((1, 3, 8, 8), opset=13)
    x = pair(g, "x", 2.0**-5)
    x = g.add("Conv", x, weights(g, (4, 3, 3, 3), 2.0**-8))
    dtype = np.int8 if low < 0 else np.uint8
    q = g.add("QuantizeLinear", x, g.constant(0.25), g.constant(0, dtype))
    q = g.add("Clip", q, g.constant(low, dtype), g.constant(high, dtype))
    x = g.add("DequantizeLinear", q, g.constant(0.25), g.constant(0, dtype))
    x = pair(g, g.add("Conv", x, weights(g, (5, 4, 1, 1), 2.0**-7)), 0.125)
    net = check(g.model(x), tmp_path, images(3, 8, 8))
    assert [layer.op for layer in net.layers] == ["conv2d", "conv2d"]
    assert net.tensor("conv1").encoding.bits == bits
