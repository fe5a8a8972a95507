"""Data sets: Fashion-MNIST from an installed package, from its .deb without root, or from a folder of IDX files."""

import gzip
import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError

PACKAGE = "dataset-fashion-mnist"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package puts its files."""

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""The four files, each as it is or with ``.gz`` after its name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Images and labels, split for training and test.

    Parameters
    ----------
    train_images, test_images : uint8 [N, H, W, 1]
        Grey pixels.
    train_labels, test_labels : uint8 [N]
        Class of each image.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def fashion_mnist(folder: str | PathLike[str] | None = None) -> Dataset:
    """Return Fashion-MNIST: 60,000 images to train with, 10,000 to test with, 28 x 28, 10 classes.

    Parameters
    ----------
    folder : path or None
        Folder of the IDX files. By default the installed Debian package, else the cache, which is filled from the
        package's .deb on first use.

    Raises
    ------
    RowloomError
        If the files are missing or not what they should be.

    References
    ----------
    Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv 1708.07747, 2017.
    """
    if folder is not None:
        source = Path(folder)
        if not source.is_dir():
            raise RowloomError(
                str(source), "there is no such folder", f"must hold {FILES[0]}.gz and its three siblings"
            )
    elif all(_find(INSTALLED, name) for name in FILES):
        source = INSTALLED
    else:
        source = cache_folder()
        if not all(_find(source, name) for name in FILES):
            unpack_deb(download_deb(source), source)
    train_images, train_labels, test_images, test_labels = (_read(source, name) for name in FILES)
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise RowloomError(
                str(source), f"holds images {images.shape} with labels {labels.shape}", "must be one label an image"
            )
    return Dataset(
        train_images=train_images[..., None],
        train_labels=train_labels,
        test_images=test_images[..., None],
        test_labels=test_labels,
    )


def cache_folder() -> Path:
    """Return where downloaded data is kept: ``rowloom/fashion-mnist`` in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "rowloom" / "fashion-mnist"


def download_deb(folder: Path) -> Path:
    """Fetch the Debian package into ``folder`` with ``apt-get download``, which needs no root; return its path.

    Raises
    ------
    RowloomError
        If there is no apt-get, or it cannot get the package.
    """
    remedy = f"install {PACKAGE} or point to a folder of its IDX files"
    folder.mkdir(parents=True, exist_ok=True)
    for deb in folder.glob(f"{PACKAGE}_*.deb"):
        return deb
    if shutil.which("apt-get") is None:
        raise RowloomError("Fashion-MNIST", "is not installed and there is no apt-get", remedy)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        # apt may warn, harmlessly, that it runs unsandboxed; its output is shown only when it fails.
        done = subprocess.run(["apt-get", "download", PACKAGE], cwd=beside, capture_output=True, text=True, check=False)
        debs = list(Path(beside).glob("*.deb"))
        if done.returncode or not debs:
            reason = (done.stderr.strip().splitlines() or ["no package"])[-1]
            raise RowloomError("Fashion-MNIST", f"apt-get download {PACKAGE} failed ({reason})", remedy)
        return debs[0].replace(folder / debs[0].name)


def unpack_deb(deb: Path, folder: Path) -> None:
    """Write the four data files of the Debian package into ``folder``.

    A .deb is an ``ar`` archive with a member ``data.tar.*``; both are read here, so no tool is needed.

    Raises
    ------
    RowloomError
        If it is not such a package, or lacks a file.
    """
    wanted = {f"{name}.gz" for name in FILES}
    try:
        for name, content in _ar_members(deb.read_bytes()):
            if not name.startswith("data.tar"):
                continue
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                for member in tar:
                    base = Path(member.name).name
                    stream = tar.extractfile(member) if base in wanted else None
                    if stream is not None:
                        # Beside and renamed, in a folder of its own: another process may do the same now.
                        with tempfile.TemporaryDirectory(dir=folder) as beside:
                            temporary = Path(beside) / base
                            temporary.write_bytes(stream.read())
                            temporary.replace(folder / base)
                        wanted.remove(base)
    except (tarfile.TarError, ValueError, EOFError, OSError) as error:
        raise RowloomError(str(deb), f"is not a Debian package that can be read ({error})", "remove it") from None
    if wanted:
        raise RowloomError(str(deb), f"lacks {', '.join(sorted(wanted))}", "remove it")


def read_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes, gzipped or not.

    Raises
    ------
    RowloomError
        If it is not one, or is truncated; the error says ``name``.
    """
    try:
        raw = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        zeros, kind, axes = struct.unpack_from(">HBB", raw)
        shape = struct.unpack_from(f">{axes}I", raw, 4)
    except (OSError, EOFError, zlib.error, struct.error):
        raise RowloomError(name, "is truncated or not an IDX file") from None
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
    if zeros or kind != 8 or not axes or data.size != np.prod(shape, dtype=np.int64):
        raise RowloomError(name, "is truncated or not an IDX file of unsigned bytes")
    return data.reshape(shape)


def _read(folder: Path, name: str) -> NDArray[np.uint8]:
    path = _find(folder, name)
    if path is None:
        raise RowloomError(str(folder / name), "there is no such file, nor one with .gz")
    return read_idx(path.read_bytes(), str(path))


def _find(folder: Path, name: str) -> Path | None:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def _ar_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member of an ``ar`` archive."""
    if content[:8] != b"!<arch>\n":
        raise ValueError("no ar archive")
    position = 8
    while position + 60 <= len(content):
        header = content[position : position + 60]
        size = int(header[48:58])
        yield header[:16].decode("ascii").strip(" /"), content[position + 60 : position + 60 + size]
        position += 60 + size + size % 2
