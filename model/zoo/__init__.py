"""Networks and images that ship with rowloom."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

_FOLDER = Path(__file__).parent
_IMAGES = "fashion-test-32.npz"
"""Test images of Fashion-MNIST, and their labels."""

_FASHION = ("fashion", "lenet5", "lfc", "peer", "sfc", "tfc")
"""First words of the names of the networks that the images are for."""

MADE = ("alexnet-shapes", "resnet18-shapes")
"""Networks that are made when they are loaded, always the same: as files they would be large."""


def names() -> tuple[str, ...]:
    """Return the names of the networks that ship."""
    return tuple(sorted([*(file.stem for file in _FOLDER.glob("*.rowloom")), *MADE]))


def path(name: str) -> Path:
    """Return the file of a network that ships.

    Raises
    ------
    RowloomError
        If there is none of that name.
    """
    if name not in names():
        raise RowloomError(name, "is no network that ships", f"must be {' or '.join(names())}")
    if name in MADE:
        raise RowloomError(name, "has no file", "it is made when it is loaded")
    return _FOLDER / f"{name}.rowloom"


def make(name: str, seed: int = 0) -> Network:
    """Return one of ``MADE``."""
    from rowloom.model.nets import shapes

    return shapes.SHAPES[name](seed)


def load(name: str | PathLike[str]) -> Network:
    """Return a network by the name it ships under, or from a file.

    Raises
    ------
    RowloomError
        If it is neither, or the file is not a network.
    """
    if str(name) in MADE:
        return make(str(name))
    if str(name) in names():
        return Network.load(path(str(name)))
    if not Path(name).exists():
        raise RowloomError(
            str(name), "is neither a file nor a network that ships", f"must be a file or {' or '.join(names())}"
        )
    return Network.load(name)


def has_images(name: str) -> bool:
    """Return whether test images ship for a network."""
    return name in names() and name.split("-")[0] in _FASHION


def images(name: str) -> NDArray[np.uint8]:
    """Return the test images that ship for a network: uint8 [32, H, W, C].

    Raises
    ------
    RowloomError
        If none ship for it.
    """
    return _member(name, "images")


def labels(name: str) -> NDArray[np.uint8]:
    """Return the classes of those images: uint8 [32].

    Raises
    ------
    RowloomError
        If none ship for it.
    """
    return _member(name, "labels")


def _member(name: str, member: str) -> NDArray[Any]:
    if not has_images(name):
        raise RowloomError(name, "no images ship for it", f"must be {' or '.join(filter(has_images, names()))}")
    with np.load(_FOLDER / _IMAGES, allow_pickle=False) as archive:
        array: NDArray[Any] = archive[member]
    return array
