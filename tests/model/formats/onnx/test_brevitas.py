"""Networks exported by Brevitas just now, by all of its exporters, against the executors of what they write."""

import contextlib
import io
import logging

import numpy as np
import onnx
import pytest

import rowloom
from rowloom.model.encodings import Binary, Ternary
from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import qonnx_outputs, runtime_outputs
from tests.model.formats.onnx import brevitas_networks as networks

pytest.importorskip("brevitas", reason="needs the extra 'exporters'")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

SHAPES = {"separable_1d": (10, 25), "example": (1, 28, 28)}
"""Of inputs that are not [N, 3, 8, 8]."""

BOTH = (
    *("per_channel_and_depthwise", "residual", "ternary_and_bipolar", "quantized_bias_and_softmax", "curves"),
    "added_and_joined",
)
"""By both exporters."""

ONE = (
    *("negative_gammas", "mixed_bits", "fixed_point", "zero_points", "returns_a_quant_tensor"),
    *("norms_round_pools", "dilated_and_grouped", "zero_points_by_channel", "quantized_biases", "larger_maps"),
    *("transposed", "scales_and_biases", "scales_by_channel_of_activations", "powers_of_two", "other_roundings"),
    *("quantized_by_graph", "merged_norms", "separable_1d"),
)
"""By one, since both write the same nodes of them."""

QCDQ = ("negative_gammas", "residual", "mixed_bits", "zero_points", "curves", "added_and_joined", "quantized_by_graph")
"""As QuantizeLinear, Clip and DequantizeLinear."""


def exported(name, path, *, dynamo=False, opset=None, qcdq=False, **options):
    """Write a network that has seen some data, its norms with gammas of both signs."""
    import torch
    from brevitas.export import export_onnx_qcdq, export_qonnx

    torch.manual_seed(0)
    logging.disable(logging.WARNING)
    shape = SHAPES.get(name, (3, 8, 8))
    module = networks.example("tfc_1w2a") if name == "example" else getattr(networks, name)()
    if name != "quantized_by_graph":
        for _ in range(4):
            module(torch.randn(16, *shape))
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            each.weight.data, each.bias.data = torch.randn_like(each.weight), torch.randn_like(each.bias)
    options |= {"dynamo": dynamo, "opset_version": opset or (18 if dynamo else 13), "export_path": str(path)}
    with contextlib.redirect_stdout(io.StringIO()):
        (export_onnx_qcdq if qcdq else export_qonnx)(module.eval(), torch.randn(1, *shape), **options)
    logging.disable(logging.NOTSET)
    return path


def images(name, count=4):
    return np.random.default_rng(1).standard_normal((count, *SHAPES.get(name, (3, 8, 8)))).astype(np.float32)


def check(path, x, *, outputs=qonnx_outputs, least=8, import_path=None):
    """Floats within 1e-5 of the greatest, with the same argmax; return the network."""
    net = import_file(import_path or path).network
    (name,) = (view.name for view in net.output_views)
    want = outputs(onnx.load(path), x)[name]
    got = host_run(net, x, dequantize=True)
    assert got.shape == want.shape
    assert len(np.unique(want)) > least
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    if want.ndim == 2:
        best = np.sort(want, axis=1)
        clear = best[:, -1] - best[:, -2] > 1e-5 * np.abs(best[:, -1])
        assert np.array_equal(got.argmax(1)[clear], want.argmax(1)[clear])
    return net


@pytest.mark.parametrize(
    ("name", "dynamo"),
    [*((name, dynamo) for name in BOTH for dynamo in (False, True)), *((name, False) for name in ONE)],
)
def test_equals_the_executor(name, dynamo, tmp_path):
    check(exported(name, tmp_path / "m.onnx", dynamo=dynamo), images(name))


@pytest.mark.parametrize("name", QCDQ)
def test_quantize_and_dequantize_equal_onnxruntime(name, tmp_path):
    net = check(exported(name, tmp_path / "m.onnx", qcdq=True), images(name), outputs=runtime_outputs)
    if name == "mixed_bits":
        assert [layer.op for layer in net.layers] == ["conv2d", "conv2d", "average_pool2d", "linear"]


@pytest.mark.parametrize("opset", range(9, 21))
def test_opsets(opset, tmp_path):
    check(exported("ternary_and_bipolar", tmp_path / "m.onnx", opset=opset), images("ternary_and_bipolar", 1))


def test_an_example_of_brevitas(tmp_path):
    """With its own arithmetic before the first quantizer, and a norm of one number for all at the end."""
    path = exported("example", tmp_path / "m.onnx")
    net = check(path, np.random.default_rng(0).random((4, 1, 28, 28)).astype(np.float32))
    assert [layer.op for layer in net.layers] == ["linear"] * 4


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
def test_a_batch_of_any_size(dynamo, tmp_path):
    import torch

    named = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    options = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamo else named
    path = exported("mixed_bits", tmp_path / "m.onnx", dynamo=dynamo, **options)
    model = onnx.load(path)
    constants = {each.name for each in model.graph.initializer}
    (port,) = (each for each in model.graph.input if each.name not in constants)
    assert not port.type.tensor_type.shape.dim[0].dim_value
    port.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    check(tmp_path / "one.onnx", images("mixed_bits"), import_path=path)


@pytest.mark.parametrize("name", ["residual", "negative_gammas"])
def test_after_transformations_of_qonnx(name, tmp_path):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.extract_quant_scale_zeropt import ExtractQuantScaleZeroPt
    from qonnx.util.cleanup import cleanup_model

    model = cleanup_model(ModelWrapper(str(exported(name, tmp_path / "m.onnx"))))
    model.save(str(tmp_path / "clean.onnx"))
    check(tmp_path / "clean.onnx", images(name))
    for step in (ConvertToChannelsLastAndClean(make_input_channels_last=False), ExtractQuantScaleZeroPt()):
        model.transform(step).save(str(tmp_path / "step.onnx"))
        check(tmp_path / "step.onnx", images(name))


def test_an_export_that_torch_did_not_optimize(tmp_path):
    path = exported("negative_gammas", tmp_path / "m.onnx", dynamo=True, optimize=False)
    assert "CastLike" in {node.op_type for node in onnx.load(path).graph.node}
    check(path, images("negative_gammas"))


def test_encodings_of_weights(tmp_path):
    net = rowloom.from_qonnx(exported("ternary_and_bipolar", tmp_path / "m.onnx"))
    assert [type(layer.weight_encoding) for layer in net.layers] == [Ternary, Binary, Binary]
    assert [type(net.tensor(layer.input).encoding) for layer in net.layers[1:]] == [Binary, Ternary]
