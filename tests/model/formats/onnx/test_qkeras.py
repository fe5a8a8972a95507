"""Networks of QKeras, as its converter writes them (data/make_qkeras.py), against qonnx's executor and Keras itself."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.hw.exact import assert_exact
from tests.model.formats.graphs import qonnx_outputs

pytestmark = pytest.mark.filterwarnings("ignore")

DATA = Path(__file__).parent / "data"
NAMES = [path.stem for path in sorted(DATA.glob("*.onnx"))]

#: Their first layer quantizes what it takes.
QUANTIZED = {"activations_of_layers", "branches", "signs"}


def imported(name):
    options = {} if name in QUANTIZED else {"input_scale": "1/32", "input_encoding": "int8"}
    return rowloom.from_qonnx(DATA / f"{name}.onnx", **options)


def ran(name, net, x):
    """Return outputs of float inputs, which are multiples of 1/32."""
    return host_run(net, x if name in QUANTIZED else np.rint(x * 32).astype(np.int8), dequantize=True)


def near(got, want):
    assert got.shape == want.shape
    assert len(np.unique(want)) > 5
    assert np.array_equal(got.argmax(-1), want.argmax(-1))
    return bool(np.all(np.abs(got - want) <= 1e-5 * np.abs(want) + 1e-7))


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_executor_and_keras(name):
    net = imported(name)
    given = np.load(DATA / "keras.npz")
    x, y = given[f"{name}.x"], given[f"{name}.y"]
    (want,) = qonnx_outputs(onnx.load(DATA / f"{name}.onnx"), x).values()
    got = ran(name, net, x)
    assert near(got, want)
    assert near(got, y)
    more = (np.random.default_rng(0).integers(-128, 128, (8, *x.shape[1:])) / 32).astype(np.float32)
    (want,) = qonnx_outputs(onnx.load(DATA / f"{name}.onnx"), more).values()
    assert near(ran(name, net, more), want)


def test_without_an_input_quantizer_the_options_are_named():
    with pytest.raises(rowloom.RowloomError, match=r"not quantized, give --input-scale .* and --input-encoding"):
        rowloom.from_qonnx(DATA / "jet_tagging.onnx")


@pytest.mark.cocotb
@pytest.mark.parametrize("name", ["digits", "signs"])
def test_in_the_accelerator(name):
    net = imported(name)
    encoding = net.tensor(net.input).encoding
    shape = (2, *net.tensor(net.input).shape)
    codes = np.random.default_rng(0).integers(encoding.code_min, encoding.code_max + 1, shape)
    assert_exact(rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=4)), codes)
