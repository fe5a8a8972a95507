import gzip
import io
import subprocess
import tarfile

import numpy as np
import pytest

from rowloom.model import data
from rowloom.model.errors import RowloomError


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        data.FILES[0]: rng.integers(0, 256, (5, 4, 3), dtype=np.uint8),
        data.FILES[1]: rng.integers(0, 10, 5, dtype=np.uint8),
        data.FILES[2]: rng.integers(0, 256, (2, 4, 3), dtype=np.uint8),
        data.FILES[3]: rng.integers(0, 10, 2, dtype=np.uint8),
    }


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither an installed package nor a filled cache."""
    monkeypatch.setattr(data, "INSTALLED", tmp_path / "installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rowloom" / "fashion-mnist"


def deb(arrays):
    """Return a package with the four files, compressed as dpkg does."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as tar:
        for name, array in arrays.items():
            content = gzip.compress(idx(array))
            info = tarfile.TarInfo(f"./usr/share/datasets/fashion-mnist/{name}.gz")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    content = b"!<arch>\n"
    for name, member in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", inner.getvalue())):
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(member):<10}`\n"
        content += header.encode() + member + b"\n" * (len(member) % 2)
    return content


def assert_holds(dataset, arrays):
    train_images, train_labels, test_images, test_labels = arrays.values()
    np.testing.assert_array_equal(dataset.train_images[..., 0], train_images)
    np.testing.assert_array_equal(dataset.train_labels, train_labels)
    np.testing.assert_array_equal(dataset.test_images[..., 0], test_images)
    np.testing.assert_array_equal(dataset.test_labels, test_labels)


@pytest.mark.parametrize("packed", [True, False])
def test_from_a_folder(tmp_path, arrays, packed):
    for name, array in arrays.items():
        if packed:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (tmp_path / name).write_bytes(idx(array))
    assert_holds(data.fashion_mnist(tmp_path), arrays)


def test_from_the_installed_package(nowhere, arrays, monkeypatch):
    data.INSTALLED.mkdir()
    monkeypatch.setattr(data, "download_deb", lambda folder: pytest.fail("looked elsewhere"))
    for name, array in arrays.items():
        (data.INSTALLED / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    assert_holds(data.fashion_mnist(), arrays)


def test_from_a_deb_that_apt_fetches_once(nowhere, arrays, monkeypatch):
    calls = []

    def apt(command, *, cwd, **_):
        calls.append(command)
        (data.Path(cwd) / f"{data.PACKAGE}_1_all.deb").write_bytes(deb(arrays))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(data.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(data.subprocess, "run", apt)
    assert_holds(data.fashion_mnist(), arrays)
    assert_holds(data.fashion_mnist(), arrays)
    assert calls == [["apt-get", "download", data.PACKAGE]]
    assert sorted(each.name for each in nowhere.iterdir()) == sorted(
        [f"{data.PACKAGE}_1_all.deb", *(f"{name}.gz" for name in data.FILES)]
    )


def test_no_apt(nowhere, monkeypatch):
    monkeypatch.setattr(data.shutil, "which", lambda name: None)
    with pytest.raises(
        RowloomError,
        match=r"^Fashion-MNIST: is not installed and there is no apt-get, install dataset-fashion-mnist or point to a ",
    ):
        data.fashion_mnist()


def test_apt_fails(nowhere, monkeypatch):
    failed = subprocess.CompletedProcess([], 100, "", "W: warning\nE: Unable to locate package\n")
    monkeypatch.setattr(data.shutil, "which", lambda name: name)
    monkeypatch.setattr(data.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(
        RowloomError,
        match=r"^Fashion-MNIST: apt-get download dataset-fashion-mnist failed \(E: Unable to locate package\)",
    ):
        data.fashion_mnist()


@pytest.mark.parametrize("cut", [0, 4, 100, 300])
def test_broken_deb(tmp_path, arrays, cut):
    path = tmp_path / "x.deb"
    path.write_bytes(deb(arrays)[:cut])
    with pytest.raises(RowloomError, match=r"x\.deb: (is not a Debian package that can be read|lacks t10k)"):
        data.unpack_deb(path, tmp_path)


def test_deb_without_a_file(tmp_path, arrays):
    del arrays[data.FILES[2]]
    (tmp_path / "x.deb").write_bytes(deb(arrays))
    with pytest.raises(RowloomError, match=r"x\.deb: lacks t10k-images-idx3-ubyte\.gz, remove it$"):
        data.unpack_deb(tmp_path / "x.deb", tmp_path)


def test_folder_is_missing_or_incomplete(tmp_path, arrays):
    with pytest.raises(
        RowloomError, match=r"none: there is no such folder, must hold train-images-idx3-ubyte\.gz and "
    ):
        data.fashion_mnist(tmp_path / "none")
    with pytest.raises(RowloomError, match=r"train-images-idx3-ubyte: there is no such file, nor one with \.gz$"):
        data.fashion_mnist(tmp_path)


def test_labels_must_match_images(tmp_path, arrays):
    arrays[data.FILES[3]] = arrays[data.FILES[3]][:1]
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(idx(array))
    with pytest.raises(RowloomError, match=r"holds images \(2, 4, 3\) with labels \(1,\), must be one label an image$"):
        data.fashion_mnist(tmp_path)


@pytest.mark.parametrize("cut", [0, 3, 7, 15, 30])
@pytest.mark.parametrize("packed", [True, False])
def test_truncated_idx(arrays, cut, packed):
    content = idx(arrays[data.FILES[0]])
    content = gzip.compress(content)[:cut] if packed else content[:cut]
    with pytest.raises(RowloomError, match=r"^f: is truncated or not an IDX file"):
        data.read_idx(content, "f")


def test_idx_of_another_type():
    with pytest.raises(RowloomError, match=r"^f: is truncated or not an IDX file of unsigned bytes$"):
        data.read_idx(b"\0\0\x0d\1" + b"\0\0\0\1" + b"\0\0\0\0", "f")
