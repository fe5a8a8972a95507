"""Networks written as QONNX: qonnx's executor computes the same integers, and so does the network read back."""

import json

import numpy as np
import onnx
import pytest

import rowloom
from rowloom.model.encodings import Codebook
from rowloom.model.formats.export import describe, export_bytes
from tests.model.formats.graphs import qonnx_outputs, written
from tests.model.formats.onnx.test_qonnx import CASES
from tests.model.formats.tflite.test_operators import CASES as TFLITE

pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = (
    *("weights_and_activations", "depthwise", "binary", "ternary", "zero_points", "average_pool", "branches"),
    *("channels_joined", "upsampled", "falling_channels_after_a_pool", "global_average_pool", "argmax"),
    *("average_pool_with_padding", "offset_under_padding", "multi_thresholds"),
)


def values(net, x, result):
    tensor = net.tensor(net.outputs[0])
    codes = result["tensor"] if isinstance(result, dict) else result
    return tensor.encoding.decode(codes)


def assert_exported(net, tmp_path):
    """qonnx's executor gives the network's values, and so does what is read back."""
    content = export_bytes(net, "again.onnx")
    (tmp_path / "again.onnx").write_bytes(content)
    tensor = net.tensor(net.input)
    codes = np.random.default_rng(0).integers(
        tensor.encoding.code_min, tensor.encoding.code_max, (3, *tensor.shape), endpoint=True
    )
    outputs = net.run(codes, keep="outputs")
    want = net.tensor(net.outputs[0]).encoding.decode(outputs[net.outputs[0]]).transpose(0, 3, 1, 2)
    assert len(np.unique(want)) > 1
    real = tensor.encoding.decode(codes) * (1.0 if tensor.scale is None else tensor.scale)
    x = real.transpose(0, 3, 1, 2).astype(np.float32)
    (got,) = qonnx_outputs(onnx.load_from_string(content), x).values()
    assert np.array_equal(got, want)
    again = rowloom.from_qonnx(tmp_path / "again.onnx")
    assert np.array_equal(rowloom.run(again, x, dequantize=True), want)


@pytest.mark.parametrize("name", NAMES)
def test_the_executor_and_the_network_read_back_agree(name, tmp_path):
    assert_exported(rowloom.from_qonnx(written(CASES[name](), tmp_path / "m.onnx")), tmp_path)


@pytest.mark.parametrize("name", ["add-0-0.05", "add-3-0.011", "max_pool-1", "activation-RELU6", "average_pool-3-0-0"])
def test_networks_out_of_tflite(name, tmp_path):
    """Sums through tables are told as sums of multiples, tables of codes as thresholds."""
    (tmp_path / "m.tflite").write_bytes(TFLITE[name]())
    assert_exported(rowloom.from_tflite(tmp_path / "m.tflite"), tmp_path)


def test_values_that_are_not_equally_spaced(tmp_path):
    assert_exported(rowloom.load("fashion-log-both"), tmp_path)


def test_the_shipped_network(tmp_path):
    net = rowloom.load("fashion-bnn")
    (tmp_path / "m.onnx").write_bytes(export_bytes(net, "m.onnx"))
    again = rowloom.from_qonnx(tmp_path / "m.onnx")
    images = rowloom.images(net, 16)
    assert np.array_equal(again.run(images), net.run(images))
    assert [layer.op for layer in again.layers] == [layer.op for layer in net.layers]


def test_json_holds_everything(tmp_path):
    net = rowloom.load("fashion-bnn")
    told = json.loads(export_bytes(net, "m.json"))
    assert told == json.loads(json.dumps(describe(net)))
    assert [layer["name"] for layer in told["layers"]] == [layer.name for layer in net.layers]
    weights = told["layers"][0]["weights"]
    assert np.array_equal(np.array(weights["values"], weights["dtype"]), net.layers[0].weights)


def test_other_endings_are_refused():
    with pytest.raises(rowloom.RowloomError, match=r"^m\.txt: has no known ending, need \.onnx \(QONNX\) or \.json$"):
        export_bytes(rowloom.load("fashion-bnn"), "m.txt")


def test_encodings_that_qonnx_does_not_know():
    from rowloom.model.layers import Add
    from rowloom.model.network import Network, Tensor

    odd = Codebook(values=(-5, 0, 1))
    net = Network(
        name="odd",
        tensors=(Tensor(name="x", shape=(1, 1, 2), encoding=odd), Tensor(name="y", shape=(1, 1, 2), encoding=odd)),
        layers=(Add(name="y", inputs=("x",), output="y", tables=(np.array([-5, 0, 1]),)),),
        input="x",
        outputs=("y",),
    )
    with pytest.raises(rowloom.RowloomError, match=r"^x: .* cannot be told in QONNX, need uniform, ternary or binary"):
        export_bytes(net, "m.onnx")
