"""Networks exported by Brevitas just now, by both of its exporters, against qonnx's executor."""

import contextlib
import io
import logging

import numpy as np
import onnx
import pytest

import rowloom
from rowloom.model.encodings import Binary, Ternary
from rowloom.model.host import host_run
from tests.model.formats.graphs import qonnx_outputs

pytest.importorskip("brevitas", reason="needs the extra 'exporters'")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]

SHAPE = (3, 8, 8)


def layers():
    """Brevitas is imported late, because it warns."""
    import brevitas.nn as qnn
    from brevitas import quant
    from torch import nn

    return qnn, quant, nn


def relu(bits):
    return layers()[0].QuantReLU(bit_width=bits, return_quant_tensor=True)


def identity(bits=8):
    return layers()[0].QuantIdentity(bit_width=bits, return_quant_tensor=True)


def per_channel_and_depthwise():
    qnn, _, nn = layers()
    options = {"weight_bit_width": 4, "weight_scaling_per_output_channel": True}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, **options), nn.BatchNorm2d(8), relu(4)),
        *(qnn.QuantConv2d(8, 16, 3, stride=2, padding=1, groups=8, bias=True, **options), relu(4), nn.MaxPool2d(2)),
        *(nn.Flatten(), qnn.QuantLinear(64, 10, bias=True, weight_bit_width=4)),
    )


def negative_gammas():
    qnn, _, nn = layers()
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.MaxPool2d(2)),
        *(nn.BatchNorm2d(8), relu(3), qnn.QuantConv2d(8, 16, 1, bias=False, weight_bit_width=2), nn.BatchNorm2d(16)),
        *(identity(), nn.Flatten(), qnn.QuantLinear(256, 10, bias=False, weight_bit_width=8)),
    )


def residual():
    qnn, _, nn = layers()

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin = nn.Sequential(
                identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(8)
            )
            self.first, self.branch = relu(4), qnn.QuantConv2d(8, 8, 3, padding=1, bias=False, weight_bit_width=4)
            self.norm, self.shared, self.last = nn.BatchNorm2d(8), identity(5), relu(4)
            self.pool = qnn.TruncAvgPool2d(4, bit_width=8)
            self.dense = qnn.QuantLinear(32, 5, bias=True, weight_bit_width=4)

        def forward(self, x):
            x = self.shared(self.first(self.begin(x)))
            x = self.pool(self.last(x + self.shared(self.norm(self.branch(x)))))
            return self.dense(getattr(x, "value", x).flatten(1))

    return Residual()


def ternary_and_bipolar():
    qnn, quant, nn = layers()
    binary = {"bias": False, "weight_quant": quant.SignedBinaryWeightPerTensorConst}
    ternary = {"bias": False, "weight_quant": quant.SignedTernaryWeightPerTensorConst}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, **ternary), nn.BatchNorm2d(8)),
        *(qnn.QuantIdentity(act_quant=quant.SignedBinaryActPerTensorConst), qnn.QuantConv2d(8, 8, 3, **binary)),
        *(nn.BatchNorm2d(8), qnn.QuantIdentity(act_quant=quant.SignedTernaryActPerTensorConst), nn.Flatten()),
        qnn.QuantLinear(288, 10, **binary),
    )


def mixed_bits():
    qnn, _, nn = layers()
    options = {"padding": 1, "bias": False, "weight_scaling_per_output_channel": True}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, weight_bit_width=8, **options), nn.BatchNorm2d(8), relu(2)),
        *(qnn.QuantConv2d(8, 8, 3, weight_bit_width=2, **options), nn.BatchNorm2d(8), relu(8), nn.AvgPool2d(2)),
        *(identity(), nn.Flatten(), qnn.QuantLinear(128, 10, bias=True, weight_bit_width=8)),
    )


def fixed_point():
    qnn, _, nn = layers()
    from brevitas.quant.fixed_point import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )

    conv = {"padding": 1, "bias": False, "weight_quant": Int8WeightPerTensorFixedPoint}
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, weight_bit_width=4, **conv),
        qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=4, return_quant_tensor=True),
        *(nn.AvgPool2d(2), qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=6)),
        *(qnn.QuantConv2d(8, 4, 3, **conv), qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint)),
    )


def zero_points():
    qnn, _, nn = layers()
    from brevitas.quant.shifted_scaled_int import ShiftedUint8ActPerTensorFloat, ShiftedUint8WeightPerTensorFloat

    return nn.Sequential(
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_quant=ShiftedUint8WeightPerTensorFloat),
        *(nn.LeakyReLU(0.25), qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat)),
        qnn.QuantConv2d(8, 4, 3, padding=1, bias=False),
    )


def quantized_bias_and_softmax():
    qnn, quant, nn = layers()
    bias = {"bias": True, "bias_quant": quant.Int32Bias}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, weight_bit_width=4, return_quant_tensor=True, **bias)),
        *(relu(4), nn.Dropout(), nn.Flatten(), qnn.QuantLinear(512, 10, weight_bit_width=8, **bias), nn.Softmax(1)),
    )


NETWORKS = (
    *(per_channel_and_depthwise, negative_gammas, residual, ternary_and_bipolar, mixed_bits, fixed_point),
    *(zero_points, quantized_bias_and_softmax),
)


def exported(build, path, dynamo):
    import torch
    from brevitas.export import export_qonnx

    torch.manual_seed(0)
    logging.disable(logging.WARNING)
    module = build()
    for _ in range(4):
        module(torch.randn(16, *SHAPE))
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.weight.data, each.bias.data = torch.randn_like(each.weight), torch.randn_like(each.bias)
    options = {"dynamo": True, "opset_version": 18} if dynamo else {"dynamo": False, "opset_version": 13}
    with contextlib.redirect_stdout(io.StringIO()):
        export_qonnx(module.eval(), torch.randn(1, *SHAPE), export_path=str(path), **options)
    logging.disable(logging.NOTSET)
    return path


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
@pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)
def test_equals_the_executor(build, dynamo, tmp_path):
    """Integers, up to float noise of one in 10,000; floats within 1e-5 of the greatest, with the same argmax."""
    path = exported(build, tmp_path / "m.onnx", dynamo)
    net = rowloom.from_qonnx(path)
    x = np.random.default_rng(1).standard_normal((6, *SHAPE)).astype(np.float32)
    (want,) = qonnx_outputs(onnx.load(path), x).values()
    got = host_run(net, x, dequantize=True)
    assert got.shape == want.shape
    assert len(np.unique(want)) > 20
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()
    if want.ndim == 2:
        best = np.sort(want, axis=1)
        clear = best[:, -1] - best[:, -2] > 1e-5 * np.abs(best[:, -1])
        assert np.array_equal(got.argmax(1)[clear], want.argmax(1)[clear])


def test_encodings_of_weights(tmp_path):
    net = rowloom.from_qonnx(exported(ternary_and_bipolar, tmp_path / "m.onnx", dynamo=False))
    assert [type(layer.weight_encoding) for layer in net.layers] == [Ternary, Binary, Binary]
    assert [type(net.tensor(layer.input).encoding) for layer in net.layers[1:]] == [Binary, Ternary]
