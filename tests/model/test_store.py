import dataclasses
import io
import json
import zipfile

import numpy as np
import pytest

from rowloom.model import store
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, ChannelShuffle, Concat, Conv2d, DepthToSpace, Upsample
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Requantize, Thresholds


@pytest.fixture
def file(small_network, tmp_path):
    path = tmp_path / "small.rowloom"
    small_network.save(path)
    return path


def requantized():
    """Every field that is not at its default."""
    codes = Uniform(bits=8, signed=True, zero_point=3)
    return Network(
        name="full",
        tensors=(
            Tensor(name="x", shape=(9, 9, 4), encoding=codes, scale=0.1),
            Tensor(name="y", shape=(4, 5, 6), encoding=codes),
        ),
        layers=(
            Conv2d(
                name="c/../d",
                input="x",
                output="y",
                weights=np.random.default_rng(0).integers(-128, 128, (6, 3, 2, 2)),
                weight_encoding=Uniform(bits=8, signed=True),
                stride=(2, 2),
                padding=(1, 2, 0, 2),
                dilation=(2, 2),
                groups=2,
                pad_value=-7,
                bias=np.arange(6),
                post=Requantize(multiplier=np.full(6, 1 << 30), shift=np.arange(-6, 0), output_zero_point=3),
            ),
        ),
        input="x",
        outputs=("y",),
        about={"accuracy": 0.5},
    )


def assert_same(a, b):
    """Compare descriptors field by field; arrays by type and content."""
    assert type(a) is type(b)
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            if not field.name.startswith("_"):
                assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    else:
        assert a == b


def branching():
    """Every layer that came with schema 2, no field at its default."""
    codes = Uniform(bits=4, signed=True, zero_point=1)
    levels = Thresholds(values=np.tile(np.arange(15), (8, 1)), direction=np.array([1, -1] * 4))
    return Network(
        name="branching",
        tensors=tuple(
            Tensor(name=name, shape=shape, encoding=codes)
            for name, shape in (
                ("x", (5, 5, 8)),
                ("p", (2, 6, 8)),
                ("s", (2, 6, 8)),
                ("j", (2, 6, 24)),
                ("m", (2, 6, 24)),
                ("u", (6, 18, 24)),
                ("d", (12, 36, 6)),
            )
        ),
        layers=(
            AveragePool2d(
                name="p",
                input="x",
                output="p",
                kernel=(3, 2),
                stride=(2, 1),
                padding=(1, 0, 1, 1),
                count_include_pad=True,
                bias=np.arange(8),
                post=levels,
            ),
            Add(
                name="a/../b",
                inputs=("p", "p"),
                output="s",
                tables=(np.arange(16), np.arange(16) ** 2),
                bias=np.arange(8),
                post=levels,
            ),
            Concat(name="j", inputs=("p", "s", "p"), output="j"),
            ChannelShuffle(name="m", input="j", output="m", groups=3),
            Upsample(name="u", input="m", output="u", factor=3),
            DepthToSpace(name="d", input="u", output="d", block=2, mode="CRD"),
        ),
        input="x",
        outputs=("d", "m"),
    )


def rewrite(path, edit):
    """Apply ``edit`` to the manifest of a file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["network.json"])
    members["network.json"] = json.dumps(edit(manifest) or manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_round_trip(small_network, file, tmp_path):
    assert_same(Network.load(file), small_network)
    full = requantized()
    full.save(tmp_path / "full.rowloom")
    assert_same(Network.load(tmp_path / "full.rowloom"), full)


def test_an_operation_is_kept_and_needs_a_newer_reader(small_network, file, tmp_path):
    """Files of products only stay as they were before there were operations."""
    first = dataclasses.replace(small_network.layers[0], operation=Operation.ADDER)
    net = dataclasses.replace(small_network, layers=(first, *small_network.layers[1:]))
    net.save(tmp_path / "adder.rowloom")
    loaded = Network.load(tmp_path / "adder.rowloom")
    assert_same(loaded, net)
    assert loaded.layers[0].operation is Operation.ADDER
    for path, schema, stated in ((file, 1, []), (tmp_path / "adder.rowloom", 2, ["adder"])):
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("network.json"))
        assert manifest["schema"] == schema
        assert [layer["operation"] for layer in manifest["layers"] if "operation" in layer] == stated


def test_layers_with_several_inputs_round_trip(tmp_path):
    net = branching()
    net.save(tmp_path / "b.rowloom")
    loaded = Network.load(tmp_path / "b.rowloom")
    assert_same(loaded, net)
    with np.load(tmp_path / "b.rowloom") as archive:
        assert json.loads(archive["network.json"])["schema"] == 2
    codes = np.random.default_rng(0).integers(-8, 8, (3, 5, 5, 8))
    for name, array in loaded.run(codes, keep="all").items():
        np.testing.assert_array_equal(array, net.run(codes, keep="all")[name])


def test_many_thresholds_are_kept_as_differences(small_network, file, tmp_path, monkeypatch):
    """Extremes too, whose differences wrap round."""
    monkeypatch.setattr(store, "DIFFERENCES", 1)
    first = small_network.layers[0]
    ends = np.array([-(1 << 63), (1 << 63) - 1])
    values = np.sort(np.resize(ends, first.post.values.shape), axis=1)
    values[:: len(values) - 1] = first.post.values[:: len(values) - 1]
    layer = dataclasses.replace(first, post=dataclasses.replace(first.post, values=values))
    net = dataclasses.replace(small_network, layers=(layer, *small_network.layers[1:]))
    net.save(tmp_path / "many.rowloom")
    assert_same(Network.load(tmp_path / "many.rowloom"), net)
    with np.load(tmp_path / "many.rowloom") as archive:
        manifest = json.loads(archive["network.json"])
        kept = manifest["layers"][0]["post"]["values"]
        assert kept["differences"]
        np.testing.assert_array_equal(
            archive[kept["array"].removesuffix(".npy")][:, 1:], values[:, 1:] - values[:, :-1]
        )
    assert manifest["schema"] == 3


def test_same_network_same_bytes_and_nothing_else_left(small_network, file):
    again = file.with_name("again.rowloom")
    small_network.save(again)
    assert again.read_bytes() == file.read_bytes()
    assert sorted(each.name for each in file.parent.iterdir()) == ["again.rowloom", "small.rowloom"]


def test_numpy_alone_reads_it(small_network, file):
    with np.load(file, allow_pickle=False) as archive:
        manifest = json.loads(archive["network.json"])
        member = manifest["layers"][0]["weights"]["array"]
        np.testing.assert_array_equal(archive[member.removesuffix(".npy")], small_network.layers[0].weights)
    assert manifest["schema"] == 1, "older readers know its operators"


def test_every_truncation_is_told_by_file(file):
    content = file.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 97)):
        file.write_bytes(content[:length])
        with pytest.raises(RowloomError, match=r"small\.rowloom: is truncated or not a rowloom network$") as caught:
            Network.load(file)
        assert caught.value.exit_status == 2


def test_no_flipped_byte_gives_a_traceback_or_another_network(small_network, file):
    content = file.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 211)):
        file.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        loaded, subject = small_network, str(file)
        try:
            loaded = Network.load(file)
        except RowloomError as error:
            subject = error.subject
        assert subject == str(file)
        assert_same(loaded, small_network)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_foreign_files(tmp_path, content):
    path = tmp_path / "x.rowloom"
    path.write_bytes(content)
    with pytest.raises(RowloomError, match=r"x\.rowloom: is truncated or not a rowloom network$"):
        Network.load(path)


def test_foreign_npz(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros(3))
    with pytest.raises(RowloomError, match=r"x\.npz: is truncated or not a rowloom network$"):
        Network.load(tmp_path / "x.npz")


def test_missing_and_folder(tmp_path):
    with pytest.raises(RowloomError, match=r"none\.rowloom: there is no such file$"):
        Network.load(tmp_path / "none.rowloom")
    with pytest.raises(RowloomError, match=r": cannot be read: Is a directory$"):
        Network.load(tmp_path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m.update(schema=5), r"small\.rowloom: has schema 5, newer than 4, update rowloom to read it$"),
        (lambda m: m.update(schema="1"), r"small\.rowloom: has schema '1', must be an integer of at least 1$"),
        (lambda m: m.update(format="zip"), r"small\.rowloom: is not a rowloom network$"),
        (lambda m: [m], r"small\.rowloom: is not a rowloom network$"),
        (lambda m: m.pop("layers") and None, r"small\.rowloom: is truncated or not a rowloom network$"),
        (lambda m: m["layers"][0].update(op="fold"), r"small\.rowloom: conv1: unknown operator 'fold'$"),
        (lambda m: m["layers"][0].update(colour=1), r"small\.rowloom: is truncated or not a rowloom network$"),
        (
            lambda m: m["layers"][0].update(operation="x"),
            r"small\.rowloom: conv1: operation must be an Operation, not 'x'$",
        ),
        (lambda m: m["layers"][0].update(groups=2), r"small\.rowloom: conv1: has 7 filters, not a multiple of 2"),
        (
            lambda m: m["layers"][0].update(weight_encoding={"kind": "x"}),
            r"small\.rowloom: encoding: unknown kind 'x'",
        ),
        (lambda m: m["tensors"][1].update(shape=[6, 5]), r"small\.rowloom: conv1: shape must be three integers"),
        (lambda m: m["tensors"][1].update(shape=6), r"small\.rowloom: is truncated or not a rowloom network$"),
        (lambda m: m["layers"][0]["weights"].update(array="x.npy"), r"small\.rowloom: is truncated or not"),
    ],
)
def test_edited_manifests(file, edit, message):
    rewrite(file, edit)
    with pytest.raises(RowloomError, match=message):
        Network.load(file)


def test_weights_outside_their_encoding(file):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = json.loads(members["network.json"])["layers"][0]["weights"]["array"]
    weights = np.load(io.BytesIO(members[name])).copy()
    weights[0, 0, 0, 0] = 2
    buffer = io.BytesIO()
    np.save(buffer, weights)
    members[name] = buffer.getvalue()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(RowloomError, match=r"small\.rowloom: conv1 weights: code 2 is outside Binary\(\)"):
        Network.load(file)


def test_pickled_arrays_are_refused(file):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = json.loads(members["network.json"])["layers"][0]["weights"]["array"]
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members[name] = buffer.getvalue()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(RowloomError, match=r"small\.rowloom: is truncated or not a rowloom network$"):
        Network.load(file)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(small_network, file, monkeypatch):
    before = file.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(RowloomError, match=r"small\.rowloom: cannot be written: No space left on device$"):
        small_network.save(file)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["small.rowloom"]


def test_saving_into_no_folder(small_network, tmp_path):
    with pytest.raises(RowloomError, match=r"x\.rowloom: cannot be written: No such file or directory$"):
        small_network.save(tmp_path / "none" / "x.rowloom")
