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


PADS = [0, 0, 1, 2, 0, 0, 0, 1]


@pytest.mark.parametrize("after", ["quantizer", "concat", "add", "upsample", "output", "pool", "integers"])
@pytest.mark.parametrize("point", [-128, 5])
def test_pads(after, point, tmp_path):
    g = Graph((1, 3, 6, 6), opset=21)
    number = g.constant(0.5)
    if after == "integers":
        x = g.add("QuantizeLinear", "x", 2.0**-5, g.constant(point, np.int8))
        x = g.add("Pad", x, g.constant(PADS, np.int64), g.constant(point + 16, np.int8))
        x = g.add("DequantizeLinear", x, 2.0**-5, g.constant(point, np.int8))
    else:
        x = g.add("Pad", pair(g, "x", 2.0**-5, point), g.constant(PADS, np.int64), number)
    if after != "output":
        x = pair(g, g.add("Relu", x), 2.0**-4, point)
    if after == "concat":
        x = g.add("Concat", x, pair(g, g.add("Pad", x, g.constant([0] * 8, np.int64)), 2.0**-3, 1), axis=1)
    elif after == "add":
        x = pair(g, g.add("Add", x, pair(g, g.add("Mul", x, 0.5), 2.0**-4, 0)), 2.0**-3, 0)
    elif after == "upsample":
        options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        x = g.add("Resize", x, "", g.constant([1.0, 1, 2, 2]), mode="nearest", **options)
    elif after == "pool":
        x = pair(g, g.add("GlobalAveragePool", x), 2.0**-6, point)
    if after in ("quantizer", "integers"):
        x = pair(g, g.add("Conv", x, weights(g, (4, 3, 3, 3), 2.0**-6)), 2.0**-3, point)
    check(g.model(x), tmp_path, images(3, 6, 6))


def test_a_batch_that_is_joined_to_pixels(tmp_path):
    """As onnxruntime writes a dense layer along the channels of a map."""
    g = Graph((1, 3, 5, 7), opset=17)
    x = g.add("Transpose", pair(g, "x", 2.0**-5), perm=[0, 2, 3, 1])
    x = g.add("Reshape", x, g.constant([35, 3], np.int64))
    x = pair(g, g.add("Gemm", x, weights(g, (4, 3), 2.0**-6), transB=1), 2.0**-4)
    x = g.add("Transpose", g.add("Reshape", x, g.constant([1, 5, 7, 4], np.int64)), perm=[0, 3, 1, 2])
    check(g.model(x), tmp_path, images(3, 5, 7))
    joined = g.model(g.nodes[-3].output[0])
    with pytest.raises(rowloom.RowloomError, match="has its batch joined to other axes"):
        rowloom.from_onnx(written(joined, tmp_path / "m.onnx"))


@pytest.mark.parametrize("opset", [10, 13, 19, 21, 23])
@pytest.mark.parametrize("point", [0, 255, 77])
def test_ties_and_ends(opset, point, tmp_path):
    """Every half goes to the even code, zero points stand at the ends of the codes, scales lie far apart."""
    g = Graph((1, 1, 1, 64), opset=opset)
    x = pair(g, "x", 2.0**-5, point, np.uint8)
    x = pair(g, g.add("Mul", x, 0.5), 2.0**-5, 255 - point, np.uint8)
    model = g.model(pair(g, g.add("Mul", x, 2.0**20), 2.0**16, point, np.uint8))
    if opset >= 23:
        model.ir_version = 11
    halves = (np.arange(-320, 320).reshape(10, 1, 1, 64) * 2.0**-6).astype(np.float32)
    net = rowloom.from_onnx(written(model, tmp_path / "m.onnx"))
    assert np.array_equal(host_run(net, halves, dequantize=True), next(iter(runtime_outputs(model, halves).values())))


def test_types_by_attribute(tmp_path):
    g = Graph((1, 3, 6, 6), opset=21)
    q = g.add("QuantizeLinear", "x", 2.0**-4, output_dtype=TensorProto.INT8)
    x = g.add("DequantizeLinear", q, 2.0**-4)
    check(g.model(pair(g, g.add("Conv", x, weights(g, (4, 3, 3, 3), 2.0**-6)), 2.0**-3)), tmp_path, images(3, 6, 6))


def test_blocks_of_activations(tmp_path):
    g = Graph((1, 8), opset=21)
    scales, points = g.constant([[0.5, 0.25]]), g.constant([[0, 0]], np.int8)
    q = g.add("QuantizeLinear", "x", scales, points, axis=1, block_size=4)
    x = g.add("DequantizeLinear", q, scales, points, axis=1, block_size=4)
    model = g.model(g.add("MatMul", x, weights(g, (8, 2), 0.5)))
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    net = rowloom.from_onnx(written(model, tmp_path / "m.onnx"))
    assert np.array_equal(host_run(net, x, dequantize=True), next(iter(runtime_outputs(model, x).values())))


@pytest.mark.parametrize(("mode", "split", "order"), [
    ("CRD", [1, 2, 3, 3, 4, 5], [0, 1, 4, 2, 5, 3]),
    ("DCR", [1, 3, 3, 2, 4, 5], [0, 3, 4, 1, 5, 2]),
])  # fmt: skip
def test_depth_to_space_in_parts(mode, split, order, tmp_path):
    g = Graph((1, 18, 4, 5), opset=17)
    x = g.add("Transpose", g.add("Reshape", pair(g, "x", 2.0**-5), g.constant(split, np.int64)), perm=order)
    x = g.add("Reshape", x, g.constant([1, 2, 12, 15], np.int64))
    net = check(g.model(x), tmp_path, images(18, 4, 5))
    assert [(layer.op, layer.mode) for layer in net.layers] == [("depth_to_space", mode)]


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
