"""``rowloom import``, ``run`` and ``export`` of networks that others trained."""

import numpy as np
import pytest

from rowloom.model.host import host_run
from rowloom.model.network import Network
from tests.model.formats.graphs import written
from tests.model.formats.onnx.test_qonnx import CASES, Graph, conv, inputs
from tests.model.formats.tflite.test_operators import CASES as TFLITE
from tests.model.formats.tflite.test_operators import images, reference


@pytest.fixture
def qonnx(tmp_path):
    return written(CASES["weights_and_activations"](), tmp_path / "m.onnx")


def test_import_and_run_in_the_layout_of_the_file(qonnx, shell, tmp_path):
    ran = shell("import", qonnx, "-o", tmp_path / "m.rowloom", "--explain", "--json", tmp_path / "i.json")
    assert ran.status == 0, ran.err
    assert "conv2d with thresholds" in ran.out
    assert ran.out.splitlines()[-1].endswith("m.rowloom: m, 2 layers, 14,688 MACs")
    x = inputs(CASES["weights_and_activations"]())
    np.save(tmp_path / "x.npy", x)
    assert shell("run", tmp_path / "m.rowloom", tmp_path / "x.npy", "-o", tmp_path / "y.npy").status == 0
    net = Network.load(tmp_path / "m.rowloom")
    assert x.shape[1:] == (3, 8, 8)
    codes = np.load(tmp_path / "y.npy")
    assert codes.shape == (3, 5, 4, 4)
    assert np.array_equal(codes, host_run(net, x))
    options = ("-o", tmp_path / "r.npy", "--dequantize")
    assert shell("run", tmp_path / "m.rowloom", tmp_path / "x.npy", *options).status == 0
    assert np.array_equal(np.load(tmp_path / "r.npy"), codes * np.float32(0.5))


def test_tflite_by_content(shell, tmp_path):
    content = TFLITE["softmax-0.17"]()
    (tmp_path / "network.bin").write_bytes(content)
    ran = shell("import", tmp_path / "network.bin", "-o", tmp_path / "m.rowloom", "--json", "-")
    assert ran.json["layers"] == 1
    assert [note["text"] for note in ran.json["notes"]] == ["linear", "on the host"]
    x = images(content)
    np.save(tmp_path / "x.npy", x)
    shell("run", tmp_path / "m.rowloom", tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    want = reference(content, x)
    assert np.array_equal(np.load(tmp_path / "y.npy"), want.reshape(len(x), -1))


def test_export(qonnx, shell, tmp_path):
    shell("import", qonnx, "-o", tmp_path / "m.rowloom")
    ran = shell("export", tmp_path / "m.rowloom", "-o", tmp_path / "again.onnx", "--json", "-")
    assert ran.json["bytes"] == (tmp_path / "again.onnx").stat().st_size
    shell("import", tmp_path / "again.onnx", "-o", tmp_path / "again.rowloom")
    first, again = Network.load(tmp_path / "m.rowloom"), Network.load(tmp_path / "again.rowloom")
    codes = np.random.default_rng(0).integers(-128, 128, (2, 8, 8, 3))
    assert np.array_equal(first.run(codes), again.run(codes))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["import", "none.onnx", "-o", "m.rowloom"], r"^none\.onnx: no such file"),
        (["import", "{file}"], r"^-o: is missing"),
        (["import", "{file}", "-o", "nowhere/m.rowloom"], r"there is no folder nowhere"),
        (["import", "{file}", "-o", "m.rowloom", "--input-scale", "x"], r"^--input-scale: 'x' is no number"),
        (["import", "{file}", "-o", "m.rowloom", "--input-encoding", "u8"], r"^--input-encoding: 'u8' is no encoding"),
        (["import", "{junk}", "-o", "m.rowloom"], r"junk.onnx: is truncated or not an ONNX file"),
        (["export", "fashion-bnn", "-o", "m.txt"], r"^m\.txt: has no known ending"),
    ],
)
def test_bad_input_leaves_nothing_behind(arguments, match, qonnx, refused, tmp_path, monkeypatch):
    (tmp_path / "junk.onnx").write_bytes(np.random.default_rng(0).bytes(3000))
    monkeypatch.chdir(tmp_path)
    before = sorted(each.name for each in tmp_path.iterdir())
    refused(*[each.format(file=qonnx, junk=tmp_path / "junk.onnx") for each in arguments], match=match)
    assert sorted(each.name for each in tmp_path.iterdir()) == before


def test_every_verb_takes_such_a_file(qonnx, shell, tmp_path):
    told = shell("info", qonnx, "--json", "-").json
    shell("import", qonnx, "-o", tmp_path / "m.rowloom")
    assert told == shell("info", tmp_path / "m.rowloom", "--json", "-").json
    (tmp_path / "network.bin").write_bytes(TFLITE["softmax-0.17"]())
    assert shell("compile", tmp_path / "network.bin", "--json", "-").json["layers"][0]["name"] == "dense1"


def test_info_of_a_graph_that_does_not_quantize_its_input(shell, refused, tmp_path):
    g = Graph((1, 3, 8, 8))
    path = written(g.model(g.quant(conv(g, "x", 4, 3), 0.25, bits=5)), tmp_path / "m.onnx")
    refused("info", path, match=r"input-scale")
    ran = shell("info", path, "--input-scale", "1/255", "--input-encoding", "uint8", "--json", "-")
    assert ran.json["layers"][0]["input_encoding"] == "Uniform(bits=8, signed=False)"
    refused(
        "info", "fashion-bnn", "--input-scale", "1/255", match=r"--input-scale: is given, but fashion-bnn tells its own"
    )
