"""Finding networks and images by what a user calls them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model import zoo
from rowloom.model.errors import RowloomError, ToolMissing
from rowloom.model.network import Network

if TYPE_CHECKING:
    from rowloom.hw import ArrayConfig, Built, Design
    from rowloom.model.encodings import Encoding


def load(
    source: str | PathLike[str],
    *,
    input_scale: str | float | None = None,
    input_encoding: "str | Encoding | None" = None,
) -> Network:
    """Load a network: a file of that name, of rowloom's or one that can be imported, else one that ships.

    Raises
    ------
    RowloomError
        If there is neither, or the file holds no network; or if the input's scale or encoding is given for a network
        that tells its own.
    """
    from rowloom.model.formats.source import import_file, is_foreign

    if Path(source).is_file() and is_foreign(source):
        return import_file(source, input_scale=input_scale, input_encoding=input_encoding).network
    for option, value in (("--input-scale", input_scale), ("--input-encoding", input_encoding)):
        if value is not None:
            raise RowloomError(option, f"is given, but {source} tells its own", "leave it out")
    if Path(source).is_file():
        return Network.load(source)
    if str(source) in zoo.names():
        return zoo.load(str(source))
    raise RowloomError(str(source), "no such file or network", f"networks that ship: {', '.join(zoo.names())}")


def images(net: Network, count: int | None = None, *, seed: int = 0) -> NDArray[Any]:
    """Return ``count`` images as codes [N, H, W, C]: those that ship with a network of that name, else random codes.

    All that ship, or 8 random ones, when ``count`` is left out.

    Raises
    ------
    RowloomError
        If ``count`` is less than 1, or more than ship.
    """
    if count is not None and count < 1:
        raise RowloomError("images", f"cannot use {count} of them", "need at least 1")
    tensor = net.tensor(net.input)
    if zoo.has_images(net.name):
        codes = np.asarray(zoo.images(net.name))
        if codes.shape[1:] == tensor.shape:
            if count is not None and count > len(codes):
                raise RowloomError(
                    "images", f"{count} are asked for, but {len(codes)} ship with {net.name}", "bring more with --input"
                )
            return codes[:count]
    low, high = tensor.encoding.code_min, tensor.encoding.code_max
    return np.random.default_rng(seed).integers(low, high, (count or 8, *tensor.shape), endpoint=True)


def map_networks(
    net: Network | Sequence[Network],
    config: "ArrayConfig | None",
    hardware: "Design | Built | str | PathLike[str] | None",
) -> "Design | tuple[Design, ...]":
    """Map a network onto an array to be built or one that was; several onto one that they share.

    Raises
    ------
    RowloomError
        If neither or both are given, or there are several networks for what was built.
    """
    from rowloom import hw
    from rowloom.hw import Built, Design

    if config is not None and hardware is None:
        return hw.compile(net, config) if isinstance(net, Network) else hw.compile_together(net, config)
    if config is not None or hardware is None:
        raise RowloomError("compile", "needs an array", "give config or hardware, one of them")
    if not isinstance(net, Network):
        raise RowloomError("compile", "maps one network at a time onto hardware that was built", "give them in turn")
    if isinstance(hardware, Design):
        hardware = hardware.built
    return hw.compile_for(net, hardware if isinstance(hardware, Built) else Built.load(hardware))


@contextmanager
def needs_torch() -> Iterator[None]:
    """Turn a missing torch into one line that says what to do."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ToolMissing(
            "torch", "is not installed", "training and lowering need it: pip install torch==2.13.0"
        ) from error


def train(recipe: str, *, data: str | PathLike[str] | None, epochs: int | None, seed: int, progress: bool) -> Network:
    """Make the network of a recipe: trained, its accuracy on the test images in ``about``, or with random weights."""
    if recipe in zoo.MADE:
        _check_untrained(recipe, epochs)
        return zoo.make(recipe, seed)
    with needs_torch():
        from rowloom.model import training
        from rowloom.model.lowering import lower
        from rowloom.model.nets.seeded import SEEDED
    if recipe in SEEDED:
        _check_untrained(recipe, epochs)
        return SEEDED[recipe].network(recipe, seed)
    module, accuracy = training.train(recipe, data=data, epochs=epochs, seed=seed, progress=progress)
    chosen = training.RECIPES[recipe]
    example = training.as_input(chosen.dataset(data).test_images[:1])
    about: dict[str, str | float] = {
        "recipe": recipe,
        "seed": seed,
        "description": chosen.description,
        "weights": f"trained for {epochs or chosen.epochs} epochs",
        "test accuracy": accuracy,
    }
    return lower(module, example, name=recipe, about=about)


def _check_untrained(recipe: str, epochs: int | None) -> None:
    if epochs is not None:
        raise RowloomError("epochs", f"is given, but {recipe} has random weights", "leave it out")
