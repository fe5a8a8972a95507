"""Networks that others published: MLPerf Tiny beside the project, and those inside installed packages."""

import os
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.graphs import qonnx_outputs

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ROWLOOM_SHARED", ROOT.parent / "shared"))
MLPERF = SHARED / "data" / "mlperf-tiny"
ESPCN = Path(find_spec("qonnx").origin).parent / "data" / "onnx" / "bsd300x3-espcn"

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
    began = time.perf_counter()
    y = rowloom.run(loaded, batch)
    assert len(batch) / (time.perf_counter() - began) > IMAGES_PER_SECOND[name]
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
