"""Bad input: one line that names the thing, exit status 2, and nothing left behind."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rowloom.cli.main import _VERBS
from rowloom.model.operation import Operation
from rowloom.model.store import SCHEMA
from tests.rowloom.networks import small_network


@pytest.fixture
def images(tmp_path):
    """Files of images that do not suit a network of 8 x 8 x 1."""
    arrays = {
        "good": np.zeros((1, 8, 8, 1), np.uint8),
        "shape": np.zeros((2, 9, 9, 1), np.uint8),
        "nan": np.full((1, 8, 8, 1), np.nan),
        "range": np.full((1, 8, 8, 1), 300, np.int32),
        "negative": np.full((1, 8, 8, 1), -1, np.int32),
        "text": np.full((1, 8, 8, 1), "a"),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "junk.npy").write_bytes(b"\x93NUMPY junk")
    np.savez(tmp_path / "several.npz", **arrays)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["frobnicate"], r"^frobnicate: no such verb, verbs: info, run"),
        (["--frobnicate"], r"^--frobnicate: no such option"),
        (["info"], r"^M: is missing, see rowloom info -h$"),
        (["info", "none.rowloom"], r"^none.rowloom: no such file or network, networks that ship: "),
        (["info", "{small}", "extra"], r"^rowloom info: got unexpected extra argument"),
        (["info", "{small}", "--json"], r"^--json: .*requires an argument"),
        (["info", "{small}", "--jsno", "-"], r"^--jsno: no such option, perhaps --json"),
        (
            ["info", "{small}", "--json", "nowhere/x.json"],
            r"^nowhere/x.json: there is no folder nowhere, make it first$",
        ),
        (["info", "{small}", "--json", "/"], r"^/: is a folder, name a file$"),
        (["run", "{small}", "none.npy"], r"^none.npy: no such file"),
        (["run", "{small}", "{dir}/junk.npy"], r"junk.npy: cannot be read as an array"),
        (["run", "{small}", "{dir}/several.npz"], r"several.npz: holds several arrays"),
        (["run", "{small}", "{dir}/good.npy", "-o", "nowhere/y.npy"], r"^nowhere/y.npy: there is no folder"),
        (["build", "{small}", "--board", "no-such-board"], r"^board 'no-such-board': unknown board, known: ulx3s-85f"),
        (["build", "{small}"], r"^--board: is missing, name a board"),
        (["build", "{small}", "--board", "icebreaker", "--clock", "-1"], r"^--clock: must be positive, not -1$"),
        (["build", "{small}", "--board", "icebreaker", "--tries", "0"], r"^--tries: must be at least 1, not 0$"),
        (["build", "{small}", "--board", "icebreaker", "--clock", "x"], r"^--clock: 'x' is not a valid float"),
        (
            ["compile", "{small}", "--rows", "2"],
            r"^--cols, --lanes: is missing, give --rows, --cols and --lanes together$",
        ),
        (["compile", "{small}", "--group", "2"], r"^--rows: is missing, finer options need"),
        (["compile", "{small}", "--board", "icebreaker", "--goal", "beauty"], r"^--goal: 'beauty' is not one of"),
        (["emit", "{small}"], r"^-o: is missing"),
        (["sim", "{small}", "--images", "0"], r"^--images: must be at least 1, not 0$"),
        (["sim", "{small}", "--simulator", "modelsim"], r"^--simulator: 'modelsim' is not one of"),
        (["sim", "{small}", "--input", "{dir}/good.npy", "--images", "2"], r"good.npy: has 1 images, --images 2 asks"),
        (["train", "--epochs", "many"], r"^--epochs: 'many' is not a valid integer"),
    ],
    ids=lambda value: " ".join(value).replace("/", "_") if isinstance(value, list) else "",
)
def test_what_is_typed_wrong(arguments, match, small, images, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    refused(*[argument.format(small=small, dir=images) for argument in arguments], match=match)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("size", ["--rows", "--cols", "--lanes"])
@pytest.mark.parametrize("value", [0, -4])
@pytest.mark.parametrize("verb", ["compile", "sim", "emit", "build"])
def test_sizes_less_than_one(verb, size, value, small, refused, tmp_path):
    array = {"--rows": 2, "--cols": 2, "--lanes": 8, size: value}
    options = [word for pair in array.items() for word in pair]
    extra = {"emit": ["-o", tmp_path / "out"], "build": ["--board", "icebreaker"]}.get(verb, [])
    refused(verb, small, *options, *extra, match=rf"^{size}: must be at least 1, not {value}$")


@pytest.mark.parametrize("kind", ["shape", "nan", "range", "negative", "text"])
@pytest.mark.parametrize("verb", ["run", "sim"])
def test_images_that_do_not_suit(verb, kind, small, images, refused):
    file = images / f"{kind}.npy"
    refused(*(["run", small, file] if verb == "run" else ["sim", small, "--input", file]), match=r"^images: ")


@pytest.mark.parametrize("damage", ["foreign", "truncated", "empty", "newer"])
@pytest.mark.parametrize("verb", ["info", "run", "compile", "sim"])
def test_model_files_that_are_none(verb, damage, small, images, refused, tmp_path, monkeypatch):
    path = tmp_path / "bad.rowloom"
    data = Path(small).read_bytes()
    if damage == "newer":
        with monkeypatch.context() as later:
            later.setattr("rowloom.model.store.SCHEMA", SCHEMA + 1)
            net = small_network()
            newest = replace(net.layers[-1], operation=Operation.ADDER)  # only a file that needs the newest says so
            replace(net, layers=(*net.layers[:-1], newest)).save(path)
    else:
        content = {"foreign": np.random.default_rng(0).bytes(3000), "truncated": data[: len(data) // 2], "empty": b""}
        path.write_bytes(content[damage])
    refused(verb, path, *([images / "good.npy"] if verb == "run" else []), match=r"bad\.rowloom")


@pytest.mark.parametrize("verb", ["info", "run", "build"])
def test_verbose_gives_the_traceback(verb, shell):
    ran = shell(
        verb,
        "none.rowloom",
        *(["x.npy"] if verb == "run" else []),
        *(["--board", "x"] if verb == "build" else []),
        "--verbose",
    )
    assert ran.status == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("rowloom: error: ")


def test_no_verb_shows_help(shell):
    ran = shell()
    assert ran.status == 2
    assert "Usage" in ran.out + ran.err


def test_a_failed_write_leaves_the_old_file(small, shell, tmp_path, monkeypatch):
    old = tmp_path / "info.json"
    old.write_text("old")
    monkeypatch.setattr(
        "pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device", "disk"))
    )
    ran = shell("info", small, "--json", old)
    assert ran.status == 2
    assert ran.error() == "disk: no space left on device"
    assert old.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["info.json", "small.rowloom"]


def test_every_verb_is_named():
    assert list(_VERBS) == ["info", "run", "compile", "emit", "sim", "build", "boards", "train"]


@pytest.mark.pnr
@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_ended_leaves_nothing(number, small, tmp_path):
    command = [
        sys.executable,
        "-m",
        "rowloom",
        "build",
        small,
        "--board",
        "ulx3s-85f",
        "-o",
        str(tmp_path / "small.bit"),
    ]
    array = ["--rows", "3", "--cols", "1", "--lanes", "8"]
    with subprocess.Popen([*command, *array], stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("synthesis"):
                break
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(60) == 130
    assert told.splitlines()[-1] == "rowloom: error: interrupted: nothing was written"
    assert [path.name for path in tmp_path.iterdir()] == ["small.rowloom"]
