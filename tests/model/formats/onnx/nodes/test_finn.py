"""Graphs as FINN, and the transformations of qonnx that it calls, leave them: against qonnx's executor."""

import numpy as np
import pytest
from onnx import helper

import rowloom
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written
from tests.model.formats.onnx.walks import Walk

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)


def images(shape, count=3):
    return (RNG.integers(-40, 41, (count, *shape)) * 2.0**-4).astype(np.float32)


def check(model, path, x, want=None):
    imported = import_file(written(model, path))
    want = qonnx_outputs(model, x) if want is None else want
    got = host_run(imported.network, x, dequantize=True)
    got = got if isinstance(got, dict) else {next(iter(want)): got}
    for name, array in want.items():
        assert np.array_equal(got[name], array), f"{np.mean(got[name] != array):.2%} differ"
        assert len(np.unique(array)) > 1
    return imported


def thresholds(g, x, rows, levels, step=0.25, **options):
    values = np.sort(RNG.integers(-12, 13, (rows, levels)) * step, axis=1)
    return g.add("MultiThreshold", x, values, domain=g.domain, out_dtype="UINT4", **options)


def small(kind="plain"):
    """Two convolutions with thresholds and integer weights, as they are after streamlining."""
    g = Graph((1, 4, 7, 7))
    x = thresholds(g, "x", 1, 7)
    w = RNG.integers(-3, 4, (4, 1, 3, 3) if kind == "depthwise" else (6, 4, 3, 2))
    options = {"strides": [2, 1], "dilations": [1, 1], "group": 4 if kind == "depthwise" else 1}
    x = g.add("Conv", x, w, kernel_shape=list(w.shape[2:]), pads=[0, 0, 2, 1], **options)
    x = thresholds(g, x, len(w), 15, 1.0, out_scale=1.0, out_bias=0.0)
    options = {"strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0] * 4}
    return g.model(g.add("Conv", x, RNG.integers(-3, 4, (3, len(w), 1, 1)), kernel_shape=[1, 1], **options))


def transformed(model, *names, clean=False):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation import (
        channels_last,
        extract_conv_bias,
        infer_datatypes,
        infer_shapes,
        lower_convs_to_matmul,
    )
    from qonnx.util.cleanup import cleanup_model

    wrapper = ModelWrapper(model).transform(infer_shapes.InferShapes())
    wrapper = (cleanup_model(wrapper) if clean else wrapper).transform(infer_datatypes.InferDataTypes())
    modules = (channels_last, extract_conv_bias, lower_convs_to_matmul)
    for name in names:
        module = next(each for each in modules if hasattr(each, name))
        wrapper = wrapper.transform(getattr(module, name)())
    return wrapper.transform(infer_shapes.InferShapes()).model


@pytest.mark.parametrize("kind", ["plain", "depthwise"])
def test_convolutions_lowered_to_products_of_matrices(kind, tmp_path):
    """And back: the same layers as before."""
    model, x = small(kind), images((4, 7, 7))
    want = qonnx_outputs(model, x)
    lowered = transformed(model, "LowerConvsToMatMul")
    assert {node.op_type for node in lowered.graph.node} >= {"Im2Col", "MatMul"}
    found = check(lowered, tmp_path / "m.onnx", x, want).network
    plain = import_file(written(model, tmp_path / "plain.onnx")).network
    assert [layer.op for layer in found.layers] == [layer.op for layer in plain.layers]
    assert found.macs() == plain.macs()


def test_channels_last(tmp_path):
    model, x = small(), images((4, 7, 7))
    last = transformed(model, "ConvertToChannelsLastAndClean")
    assert any("channels_last" in node.domain for node in last.graph.node)
    check(last, tmp_path / "m.onnx", x, qonnx_outputs(model, x))


def test_counts_of_equal_signs(tmp_path):
    g = Graph((1, 24))
    x = thresholds(g, "x", 1, 1)
    x = g.add("XnorPopcountMatMul", x, RNG.integers(0, 2, (24, 10)), domain=g.domain)
    x = g.add("MultiThreshold", x, np.sort(RNG.integers(6, 18, (10, 1))), domain=g.domain, out_dtype="BINARY")
    model = g.model(g.add("XnorPopcountMatMul", x, RNG.integers(0, 2, (10, 5)), domain=g.domain))
    check(model, tmp_path / "m.onnx", images((24,)))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pools(layout, tmp_path):
    g = Graph((1, 4, 8, 8))
    x = g.add("Conv", thresholds(g, "x", 1, 7), RNG.integers(-3, 4, (4, 4, 3, 3)), pads=[1] * 4, kernel_shape=[3, 3])
    x = thresholds(g, x, 4, 15, 1.0)
    shapes = {}
    if layout == "NHWC":
        x = turned = g.add("Transpose", x, perm=[0, 2, 3, 1])
        x = g.add("MaxPoolNHWC", x, domain=g.domain, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0])
        shapes = {turned: (1, 8, 8, 4), x: (1, 7, 7, 4)}
    options = {"kernel": 2, "stride": 2, "ibits": 4, "obits": 4, "signed": 0, "data_layout": layout}
    model = g.model(g.add("QuantAvgPool2d", x, domain=g.domain, **options), shapes=shapes)
    check(model, tmp_path / "m.onnx", images((4, 8, 8)))


def test_thresholds_then_scale_and_shift(tmp_path):
    """What is left of a quantizer with a scale and an offset, in channels-last order."""
    g = Graph((1, 6, 6, 3))
    x = thresholds(g, "x", 1, 7, data_layout="NHWC")
    x = g.add("Add", g.add("Mul", x, 0.5), -1.0)
    x = g.add("MatMul", x, g.quant(random_weights(RNG, (3, 5)), 0.25, bits=4))
    x = thresholds(g, x, 5, 15, 0.5, data_layout="NHWC", out_scale=0.25, out_bias=-2.0)
    model = g.model(g.add("Mul", x, np.arange(1, 6)))
    check(model, tmp_path / "m.onnx", images((6, 6, 3)))


def test_windows_of_nothing(tmp_path):
    g = Graph((1, 6, 6, 3))
    x = thresholds(g, "x", 1, 7, data_layout="NHWC")
    options = {"kernel_size": [2, 2], "stride": [1, 1], "input_shape": "(1, 6, 6, 3)"}
    x = g.add("Relu", g.add("Im2Col", x, domain=g.domain, **options))
    with pytest.raises(
        rowloom.RowloomError, match=r"node Relu_\d \(Relu\): comes after node Im2Col_\d \(Im2Col\), need"
    ):
        import_file(written(g.model(x), tmp_path / "m.onnx"))


def stated(model):
    """Give every window the attributes that qonnx's transformations need; None if one says them in another way."""
    for node in model.graph.node:
        if node.op_type not in ("Conv", "MaxPool"):
            continue
        given = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if "auto_pad" in given or "kernel_shape" not in given:
            return None
        rank = len(given["kernel_shape"])
        wanted = {"strides": [1] * rank, "dilations": [1] * rank, "pads": [0] * 2 * rank}
        wanted |= {"group": 1} if node.op_type == "Conv" else {"ceil_mode": 0}
        node.attribute.extend(helper.make_attribute(n, v) for n, v in wanted.items() if n not in given)
    return model


@pytest.mark.parametrize("names", [("ConvertToChannelsLastAndClean",), ("ExtractBiasFromConv", "LowerConvsToMatMul")])
def test_random_graphs_transformed(names, tmp_path):
    compared = 0
    for seed in range(60_000, 60_040):
        walk = Walk(seed)
        model, x = walk.model(), walk.images()
        if not walk.exact or stated(model) is None or "Softmax" in str(model.graph.node):
            continue
        try:
            changed = transformed(model, *names, clean=True)
            want = qonnx_outputs(changed, x)
        except Exception:
            continue  # qonnx itself does not take all of them
        got = host_run(import_file(written(changed, tmp_path / "m.onnx")).network, x, dequantize=True)
        got = got if isinstance(got, dict) else {next(iter(want)): got}
        assert all(np.array_equal(got[name], array) for name, array in want.items()), seed
        compared += 1
    assert compared >= 5
