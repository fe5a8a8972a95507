import json
import re
from dataclasses import replace

import numpy as np
import pytest

from rowloom.cli.main import _VERBS
from rowloom.model.encodings import DoReFa, Uniform
from rowloom.model.operation import Operation
from tests.rowloom.networks import branching_network, small_network


@pytest.mark.parametrize("verb", _VERBS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_of_every_verb_has_an_example(verb, option, shell):
    ran = shell(verb, option)
    assert ran.status == 0
    assert f"Example:\n    rowloom {verb}" in ran.out


def test_help_lists_every_verb(shell):
    ran = shell("-h")
    assert ran.status == 0
    assert all(f"\n  {verb} " in ran.out for verb in _VERBS)


def test_version(shell):
    assert shell("--version").out == "rowloom 0.1.0\n"


def test_info(small, shell):
    ran = shell("info", small)
    assert ran.status == 0
    assert "second" in ran.out
    assert "made: by hand" in ran.out


def test_info_shows_the_share_of_distinct_kernels_of_binary_convolutions(small, shell, tmp_path):
    """8 kernels of one channel and 128 of eight, out of 512 patterns."""
    net = small_network()
    lines = [line.rstrip() for line in shell("info", small).out.splitlines()]
    first, pool, second, dense = lines[1:5]
    assert lines[0].endswith("distinct kernels")
    for line, layer in ((first, net.layer("first")), (second, net.layer("second"))):
        kernels = {layer.weights[m, :, :, c].tobytes() for m, c in np.ndindex(layer.weights.shape[::3])}
        share = len(kernels) / (layer.weights.shape[0] * layer.weights.shape[3])
        assert line.split()[-1] == f"{share:.3f}"
    assert second.split()[-1] != "1.000"
    assert pool.split()[-1] == dense.split()[-1] == "-"
    wide = [replace(layer, weight_encoding=DoReFa(1)) if hasattr(layer, "weights") else layer for layer in net.layers]
    replace(net, layers=tuple(wide)).save(tmp_path / "wide.rowloom")
    assert "distinct kernels" not in shell("info", tmp_path / "wide.rowloom").out


def test_info_tells_what_a_layer_sums(small, shell, tmp_path):
    net = small_network()
    nibbles = Uniform(bits=2, signed=True)
    dense = replace(net.layers[-1], operation=Operation.ADDER, weight_encoding=nibbles)
    tensors = [
        replace(each, encoding=Uniform(bits=1, signed=False)) if each.name == "c" else each for each in net.tensors
    ]
    replace(net, layers=(*net.layers[:-1], dense), tensors=tuple(tensors)).save(tmp_path / "adder.rowloom")
    ran = shell("info", tmp_path / "adder.rowloom")
    assert ran.out.splitlines()[4].split()[:3] == ["dense", "linear,", "adder"]
    layers = shell("info", tmp_path / "adder.rowloom", "--json", "-").json["layers"]
    assert [layer["operation"] for layer in layers] == ["multiply", None, "multiply", "adder"]
    assert [layer["unit"] for layer in layers] == ["sign", None, "xnor", "adder"]


def test_info_json_has_every_promised_key(small, shell):
    content = shell("info", small, "--json", "-").json
    net = small_network()
    assert set(content) >= {"layers", "macs", "weight_bits"}
    assert content["macs"] == net.macs()
    assert content["weight_bits"] == net.weight_bits()
    keys = (
        "name op operation weight_encoding inputs output input_encoding output_encoding in_shape in_shapes out_shape "
        "macs weight_bits sum_bits unit distinct_kernels"
    )
    assert all(list(layer) == keys.split() for layer in content["layers"])
    first, pool, second, dense = content["layers"]
    assert (first["unit"], pool["unit"], second["unit"], dense["unit"]) == ("sign", None, "xnor", "xnor")
    assert (first["weight_encoding"], first["input_encoding"]) == ("Binary", "Uniform(bits=8, signed=False)")
    assert first["sum_bits"] == 13, "9 taps of up to 255, either sign: 2,295"
    assert dense["sum_bits"] == 10, "256 taps of +-1: -256 to 256"


def test_run_is_the_golden_model(small, shell, tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    ran = shell("run", small, tmp_path / "x.npy", "-o", tmp_path / "y.npy", "--json", tmp_path / "run.json")
    assert ran.status == 0
    want = small_network().run(x)
    assert (np.load(tmp_path / "y.npy") == want).all()
    assert shell("run", small, tmp_path / "x.npy", "-o", tmp_path / "real.npy", "--dequantize").status == 0
    assert (np.load(tmp_path / "real.npy") == want * 0.5).all()
    shown = shell("run", small, tmp_path / "x.npy").out
    assert shown.startswith("0: [")
    assert len(shown.splitlines()) == 5


def test_info_shows_every_input_of_a_layer(shell, tmp_path):
    branching_network().save(tmp_path / "b.rowloom")
    ran = shell("info", tmp_path / "b.rowloom", "--json", tmp_path / "info.json")
    grouped, add, mean = ran.out.splitlines()[1:4]
    assert grouped.split()[:2] == ["grouped", "conv2d"]
    assert "4 x 4 x 6 | 4 x 4 x 6" in add
    assert mean.split()[:3] == ["mean", "average_pool2d", "-"]
    layers = json.loads((tmp_path / "info.json").read_text())["layers"]
    assert layers[1]["inputs"] == ["a", "x"]
    assert layers[1]["in_shapes"] == [[4, 4, 6]] * 2
    assert [layer["macs"] for layer in layers] == [4 * 4 * 6 * 9 * 2, 0, 0]
    assert [layer["sum_bits"] for layer in layers[1:]] == [8, 8], "-75 to 45, and 0 to 240"
    assert [layer["unit"] for layer in layers] == ["sign", None, None]


def test_run_writes_several_outputs_by_name(shell, tmp_path):
    net = branching_network()
    net.save(tmp_path / "b.rowloom")
    x = np.random.default_rng(0).integers(0, 16, (12, 4, 4, 6), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    ran = shell("run", tmp_path / "b.rowloom", tmp_path / "x.npy", "-o", tmp_path / "y.npz", "--json", "-")
    assert ran.json["shapes"] == {"s": [12, 4, 4, 6], "m": [12, 6]}
    assert ran.json["images"] == 12
    wanted = net.run(x)
    with np.load(tmp_path / "y.npz") as arrays:
        assert set(arrays) == {"s", "m"}
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, wanted[name])
    shell("run", tmp_path / "b.rowloom", tmp_path / "x.npy", "-o", tmp_path / "real.npz", "--dequantize")
    with np.load(tmp_path / "real.npz") as arrays:
        np.testing.assert_array_equal(arrays["m"], wanted["m"] * 0.5)
    shown = shell("run", tmp_path / "b.rowloom", tmp_path / "x.npy").out.splitlines()
    assert [line for line in shown if not line[0].isdigit()] == ["s:", "m:", "... 12 images; -o Y.npy keeps them all"]


def test_json_on_standard_output_stands_alone(small, shell):
    ran = shell("info", small, "--json", "-")
    assert ran.json["name"] == "small"
    assert "first" in ran.err, "the table goes to standard error"


def test_boards(shell):
    ran = shell("boards", "--json", "-")
    boards = {board["name"]: board for board in ran.json["boards"]}
    assert boards["ulx3s-85f"]["resources"]["lut4"] == 83_640
    assert boards["icebreaker"]["clock_mhz"] == 24.0


def test_train_lists_recipes(shell):
    assert "fashion-bnn" in shell("train", "--list", "--json", "-").json["recipes"]


def test_compile_json_has_every_promised_key(small, shell):
    content = shell("compile", small, "--rows", 3, "--cols", 2, "--lanes", 8, "--json", "-").json
    assert set(content) >= {"config", "macs", "cycles", "utilization", "layers", "cost"}
    assert {name: content["config"][name] for name in ("rows", "cols", "lanes")} == {"rows": 3, "cols": 2, "lanes": 8}
    keys = ["name", "unit", "planes", "macs", "cycles", "skipped", "utilization", "losses"]
    assert all(list(layer) == keys for layer in content["layers"])
    assert list(content["cost"]) == ["lut4", "ff", "bram", "dsp"]
    assert content["utilization"] == pytest.approx(content["macs"] / (content["cycles"] * 3 * 2 * 8))
    assert sum(content["losses"].values()) + content["utilization"] == pytest.approx(1)
    assert content["maps"]["peak"] <= content["maps"]["depth"]


def test_emit_writes_verilog(small, shell, tmp_path):
    ran = shell("emit", small, "--rows", 3, "--cols", 2, "--lanes", 8, "-o", tmp_path / "out", "--json", "-")
    assert ran.status == 0
    assert any(file.endswith(".v") for file in ran.json["files"])


@pytest.mark.cocotb
@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
def test_sim(small, shell, tmp_path, stalls):
    array = ("--rows", 3, "--cols", 2, "--lanes", 8)
    ran = shell("sim", small, *array, "--images", 2, "--json", tmp_path / "s.json", *["--stalls"] * stalls)
    assert ran.status == 0, ran.err
    assert " 0 mismatches" in ran.out
    ran = shell("sim", small, *array, "--images", 1, "--json", "-")
    keys = {"images", "compared", "mismatches", "cycles_per_image", "utilization", "layers", "seconds"}
    assert set(ran.json) >= keys
    assert ran.json["images"] == 1
    assert ran.json["compared"] > 8 * 8 * 8
    layer_keys = {"name", "cycles_predicted", "cycles_measured", "mismatches"}
    assert all(set(layer) >= layer_keys for layer in ran.json["layers"])


@pytest.mark.pnr
def test_build(small, shell, tmp_path):
    ran = shell(
        *("build", small, "--board", "ulx3s-85f", "--rows", 3, "--cols", 1, "--lanes", 8),
        *("--clock", 50, "-o", tmp_path / "small.bit", "--json", "-"),
    )
    assert ran.status == 0, ran.err
    assert set(ran.json) >= {"board", "bitstream", "clock_mhz", "fmax_mhz", "resources"}
    assert list(ran.json["resources"]) == ["lut4", "ff", "bram", "dsp", "spram"]
    assert (tmp_path / "small.bit").stat().st_size > 10_000


def test_bit_planes_are_forced_or_chosen_by_cost(small, shell):
    array = ("--rows", 3, "--cols", 2, "--lanes", 8)
    forced, units, chosen = (
        shell("compile", small, *array, "--planes", planes, "--json", "-").json
        for planes in ("always", "never", "auto")
    )
    assert max(layer["planes"] for layer in forced["layers"]) == 8
    assert {layer["planes"] for layer in units["layers"]} == {1}
    assert forced["choice"] == units["choice"] == ""
    assert " rather than " in chosen["choice"]
    assert "chosen: " in shell("compile", small, *array).out


def test_a_network_is_mapped_onto_what_was_emitted(small, shell, tmp_path):
    sizes = ("--rows", "3", "--cols", "1", "--lanes", "8")
    out = str(tmp_path / "out")
    ran = shell("emit", small, *sizes, "--with", "fashion-binary", "--overlay", "16", "-o", out)
    assert ran.status == 0
    assert (tmp_path / "out" / "load.bin").stat().st_size % 2 == 0
    manifest = str(tmp_path / "out" / "manifest.json")
    for network in (small, "fashion-binary"):
        assert shell("compile", network, "--for", manifest).status == 0
    refused = shell("compile", "fashion-w4a4", "--for", manifest)
    assert refused.status == 1
    assert re.search(
        r"fashion-w4a4: does not fit the hardware: .* there are \d+.*, in the shell --with$", refused.error()
    )
    both = shell("compile", small, *sizes, "--for", manifest)
    assert both.status == 2
    assert both.error() == "--for: is given, leave out what sizes another accelerator"


def test_weights_are_streamed_on_request(small, shell):
    sizes = ("--rows", "3", "--cols", "1", "--lanes", "8")
    whole = shell("compile", small, *sizes, "--json", "-").json
    ran = shell("compile", small, *sizes, "--weight-stream", "8", "--weight-depth", "130", "--json", "-")
    assert ran.status == 0
    assert ran.json["config"]["load_bits"] == 32
    assert ran.json["cycles"] > whole["cycles"]
    assert any(layer["losses"] and layer["losses"]["weights"] for layer in ran.json["layers"])
