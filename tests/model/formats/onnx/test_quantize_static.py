"""What onnxruntime's own quantizer makes of float graphs, in both of its formats, against onnxruntime itself."""

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, runtime_outputs, written

quantization = pytest.importorskip("onnxruntime.quantization")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

TYPES = quantization.QuantType


def conv(g, x, rng, out, channels, kernel=3, groups=1, **options):
    w = rng.normal(0, (channels // groups * kernel**2) ** -0.5, (out, channels // groups, kernel, kernel))
    pad = kernel // 2
    bias = g.constant(rng.normal(0, 0.2, out))
    return g.add(*("Conv", x, g.constant(w), bias), kernel_shape=[kernel] * 2, pads=[pad] * 4, group=groups, **options)


def float_graph(opset=17):
    """Convolutions, a block with a shortcut, a concatenation of unlike scales, pools of both kinds, a dense layer."""
    rng = np.random.default_rng(0)
    g = Graph((1, 3, 12, 12), opset=opset)
    x = g.add("Relu", conv(g, "x", rng, 8, 3))
    y = g.add("Clip", conv(g, x, rng, 8, 8, groups=8), 0.0, 6.0)
    x = g.add("Relu", g.add("Add", x, conv(g, y, rng, 8, 8, kernel=1)))
    y = g.add("LeakyRelu", conv(g, x, rng, 4, 8), alpha=0.1)
    x = g.add("Concat", x, y, axis=1)
    x = g.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = g.add("Sigmoid", conv(g, g.add("Pad", x, g.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)), rng, 6, 12))
    x = g.add("Flatten", g.add("GlobalAveragePool", x))
    return g.model(g.add("Gemm", x, g.constant(rng.normal(0, 1, (5, 6))), g.constant(rng.normal(0, 1, 5)), transB=1))


class Reader(quantization.CalibrationDataReader):
    def __init__(self):
        rng = np.random.default_rng(1)
        self.images = iter([{"x": rng.normal(size=(1, 3, 12, 12)).astype(np.float32)} for _ in range(4)])

    def get_next(self):
        return next(self.images, None)


def quantized(tmp_path, model, **options):
    source, target = str(tmp_path / "float.onnx"), str(tmp_path / "m.onnx")
    written(model, source)
    options = {"quant_format": quantization.QuantFormat.QDQ} | options
    quantization.quantize_static(source, target, Reader(), **options)
    return target


IMAGES = np.random.default_rng(7).normal(size=(20, 3, 12, 12)).astype(np.float32)

QDQ = {
    "plain": {},
    "per channel": {"per_channel": True, "activation_type": TYPES.QInt8},
    "uint8": {"activation_type": TYPES.QUInt8, "weight_type": TYPES.QUInt8},
    "symmetric": {"activation_type": TYPES.QInt8, "extra_options": {"ActivationSymmetric": True}},
    "asymmetric weights": {"weight_type": TYPES.QInt8, "extra_options": {"WeightSymmetric": False}},
    "reduced range": {"reduce_range": True, "per_channel": True},
    "percentile": {"calibrate_method": quantization.CalibrationMethod.Percentile},
    "pairs of their own": {"extra_options": {"DedicatedQDQPair": True}},
    "float weights": {"extra_options": {"AddQDQPairToWeight": True}},
    "float biases": {"extra_options": {"QuantizeBias": False}},
    "activations kept": {"extra_options": {"QDQKeepRemovableActivations": True}},
    "domain of onnxruntime": {"extra_options": {"UseQDQContribOps": True}},
}


def compared(path):
    """Return how much differs from onnxruntime, and by how many steps at most."""
    import onnx

    imported = import_file(path)
    got = host_run(imported.network, IMAGES, dequantize=True)
    want = next(iter(runtime_outputs(onnx.load(path), IMAGES).values()))
    values = np.unique(want)
    assert got.shape == want.shape
    assert len(values) > 20
    return np.mean(got != want), np.abs(got - want).max() / np.diff(values).min(), imported


@pytest.mark.parametrize("name", QDQ)
def test_qdq(name, tmp_path):
    differs, _, _ = compared(quantized(tmp_path, float_graph(), **QDQ[name]))
    assert differs == 0


@pytest.mark.parametrize("kind", [TYPES.QInt4, TYPES.QUInt4])
def test_weights_of_four_bits(kind, tmp_path):
    path = quantized(tmp_path, float_graph(21), weight_type=kind)
    differs, _, imported = compared(path)
    assert differs == 0
    widths = [layer.weight_encoding.bits for layer in imported.network.layers if hasattr(layer, "weight_encoding")]
    assert set(widths) == {4}


def test_activations_of_sixteen_bits(tmp_path):
    """Whose steps are so small that the order of additions in float32 decides some."""
    differs, steps, imported = compared(quantized(tmp_path, float_graph(21), activation_type=TYPES.QUInt16))
    assert imported.float_ties > 0
    assert differs < 0.2
    assert steps < 4


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("signed", [False, True])
def test_integer_operators(opset, signed, tmp_path):
    """The format in which onnxruntime adds integers: no float sum, no difference."""
    kind = TYPES.QInt8 if signed else TYPES.QUInt8
    form = quantization.QuantFormat.QOperator
    path = quantized(
        *(tmp_path, float_graph(opset)), quant_format=form, activation_type=kind, weight_type=kind, per_channel=signed
    )
    differs, _, imported = compared(path)
    assert differs == 0
    assert any("QLinearConv" in node for note in imported.notes for node in note.nodes)


def test_mixed_precision(tmp_path):
    model = float_graph(21)
    name = next(node.output[0] for node in model.graph.node if node.op_type == "Add")
    override = {name: [{"quant_type": TYPES.QUInt16, "convert": {"quant_type": TYPES.QUInt8}}]}
    path = quantized(tmp_path, model, extra_options={"TensorQuantOverrides": override})
    differs, steps, _ = compared(path)
    assert differs < 0.05
    assert steps < 2


def test_a_softmax_that_is_quantized(tmp_path):
    rng = np.random.default_rng(0)
    g = Graph((1, 3, 12, 12), opset=17)
    x = g.add("Flatten", g.add("GlobalAveragePool", conv(g, "x", rng, 8, 3)))
    x = g.add("Softmax", g.add("Gemm", x, g.constant(rng.normal(0, 4, (8, 5)))), axis=1)
    differs, _, imported = compared(quantized(tmp_path, g.model(x)))
    assert differs == 0
    assert [ending.op for ending in imported.network.output_views[0].endings] == ["softmax", "quantize", "dequantize"]
    path = tmp_path / "m.rowloom"
    imported.network.save(path)
    again = host_run(rowloom.load(path), IMAGES, dequantize=True)
    assert np.array_equal(again, host_run(imported.network, IMAGES, dequantize=True))


def test_dynamic_scales_are_refused(tmp_path):
    written(float_graph(), tmp_path / "float.onnx")
    quantization.quantize_dynamic(tmp_path / "float.onnx", tmp_path / "m.onnx")
    message = r"\(DynamicQuantizeLinear\): quantizes by what its input happens to be, quantize with QuantFormat.QDQ"
    with pytest.raises(rowloom.RowloomError, match=message):
        rowloom.from_onnx(tmp_path / "m.onnx")


def test_integer_operators_that_are_not_known(tmp_path):
    g = Graph((1, 4), opset=17)
    x = g.add("QuantizeLinear", "x", 0.1, g.constant(0, np.uint8))
    one = g.constant(0, np.uint8)
    y = g.add("QLinearSoftmax", x, 0.1, one, 0.1, one, domain="com.microsoft", axis=1, opset=17)
    with pytest.raises(rowloom.RowloomError, match=r"\(QLinearSoftmax\): operator is not supported, .*QuantFormat.QDQ"):
        rowloom.from_onnx(written(g.model(y), tmp_path / "m.onnx"))
