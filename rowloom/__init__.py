"""rowloom weaves quantized neural networks, row by row, into FPGA accelerators that are proved bit-exact.

Every shell verb is one of these functions. The rooms behind them are imported when they are first needed, so that
``import rowloom`` brings neither torch nor a hardware tool.

>>> import rowloom
>>> net = rowloom.load("fashion-bnn")
>>> design = rowloom.compile(net, rowloom.ArrayConfig(rows=6, cols=2, lanes=32))
>>> result = rowloom.simulate(design, rowloom.images(net, 2))
"""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import ArrayLike, NDArray

    from rowloom.boards.build import Image
    from rowloom.boards.host import Device
    from rowloom.hw.built import Built
    from rowloom.hw.config import ArrayConfig
    from rowloom.hw.design import Design
    from rowloom.model.encodings import Encoding
    from rowloom.model.errors import CheckFailed, DoesNotFit, RowloomError, ToolMissing
    from rowloom.model.network import Network
    from rowloom.sim.result import Result

__version__ = "0.1.0"

__all__ = [
    "ArrayConfig",
    "CheckFailed",
    "DoesNotFit",
    "RowloomError",
    "ToolMissing",
    "build",
    "compile",
    "emit",
    "export",
    "fit",
    "from_onnx",
    "from_qonnx",
    "from_tflite",
    "from_torch_export",
    "images",
    "load",
    "lower",
    "open",
    "run",
    "simulate",
    "train",
]

_ELSEWHERE = {
    "ArrayConfig": "rowloom.hw.config",
    "CheckFailed": "rowloom.model.errors",
    "DoesNotFit": "rowloom.model.errors",
    "RowloomError": "rowloom.model.errors",
    "ToolMissing": "rowloom.model.errors",
}


def __getattr__(name: str) -> Any:
    """Import a class of another room when it is first asked for."""
    if name not in _ELSEWHERE:
        raise AttributeError(f"module 'rowloom' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ELSEWHERE[name]), name)


def load(
    source: str | PathLike[str],
    *,
    input_scale: str | float | None = None,
    input_encoding: "str | Encoding | None" = None,
) -> "Network":
    """Load a network: one that ships, by name, or a file, of rowloom's or one that can be imported.

    Parameters
    ----------
    source : str or path
    input_scale, input_encoding : optional
        As for :func:`from_qonnx`.

    Raises
    ------
    RowloomError
        If there is neither, or the file holds no network; or if the input's scale or encoding is given for a network
        that tells its own.
    """
    from rowloom.door import load

    return load(source, input_scale=input_scale, input_encoding=input_encoding)


def images(net: "Network", count: int | None = None, *, seed: int = 0) -> "NDArray[Any]":
    """Return input codes [N, H, W, C] to try ``net`` with: those that ship with it, else random ones.

    Raises
    ------
    RowloomError
        If fewer ship than are asked for.
    """
    from rowloom.door import images

    return images(net, count, seed=seed)


def lower(module: Any, example_input: Any, **options: Any) -> "Network":
    """Turn a trained torch module into the integer network that computes the same; see ``model.lowering``.

    Raises
    ------
    ToolMissing
        If torch is not installed.
    """
    from rowloom.door import needs_torch

    with needs_torch():
        from rowloom.model.lowering import lower
    return lower(module, example_input, **options)


def export(net: "Network", path: str | PathLike[str]) -> None:
    """Write a network for other tools: QONNX if ``path`` ends in ``.onnx``, a description if in ``.json``.

    Raises
    ------
    RowloomError
        If the name ends otherwise, the network has what the format cannot tell, or the file cannot be written.
    """
    from rowloom.cli.files import check_target, written_beside
    from rowloom.model.formats.export import export_bytes

    target = check_target(str(path))
    content = export_bytes(net, target)
    with written_beside(target) as beside:
        beside.write_bytes(content)


def from_qonnx(
    path: str | PathLike[str],
    *,
    input_scale: "str | float | Fraction | None" = None,
    input_encoding: "str | Encoding | None" = None,
) -> "Network":
    """Import a QONNX file: the network computes what qonnx's executor computes.

    Parameters
    ----------
    path : str or path
    input_scale, input_encoding : optional
        Such as "1/255" and "uint8", for a graph that does not quantize its input.

    Raises
    ------
    RowloomError
        If the file is damaged or holds what is not supported; says where and what would be.
    """
    from rowloom.model.formats.source import import_file

    return import_file(path, kind="qonnx", input_scale=input_scale, input_encoding=input_encoding).network


def from_torch_export(
    program: Any,
    name: str | None = None,
    *,
    input_scale: "str | float | Fraction | None" = None,
    input_encoding: "str | Encoding | None" = None,
) -> "Network":
    """Import what ``torch.export`` gives of a module that ``convert_pt2e`` has quantized.

    Parameters
    ----------
    program : torch.export.ExportedProgram, or path of a file of ``torch.export.save``
        Of a file nothing is run or unpickled, and torch is not needed to read it.
    name : str, optional
        Of the network; that of the file, or "network".
    input_scale, input_encoding : optional
        Such as "1/255" and "uint8", for a program that does not quantize its input.

    Raises
    ------
    RowloomError
        If it is no exported program, or holds what is not supported.
    """
    if isinstance(program, str | PathLike):
        from rowloom.model.formats.source import import_file

        return import_file(
            program, kind="torch_export", name=name, input_scale=input_scale, input_encoding=input_encoding
        ).network
    from rowloom.model.formats.source import parse_encoding, parse_scale
    from rowloom.model.formats.torch_export import from_exported

    scale = None if input_scale is None else parse_scale(input_scale)
    encoding = parse_encoding(input_encoding) if isinstance(input_encoding, str) else input_encoding
    return from_exported(program, name or "network", input_scale=scale, input_encoding=encoding).network


def from_onnx(
    path: str | PathLike[str],
    *,
    input_scale: "str | float | Fraction | None" = None,
    input_encoding: "str | Encoding | None" = None,
) -> "Network":
    """Import an ONNX file with QuantizeLinear and DequantizeLinear; else as :func:`from_qonnx`."""
    from rowloom.model.formats.source import import_file

    return import_file(path, kind="onnx", input_scale=input_scale, input_encoding=input_encoding).network


def from_tflite(path: str | PathLike[str]) -> "Network":
    """Import a TFLite int8 file: the network computes what the TFLite reference kernels compute.

    Raises
    ------
    RowloomError
        If the file is damaged or holds what is not supported; says where and what would be.
    """
    from rowloom.model.formats.source import import_file

    return import_file(path, kind="tflite").network


def train(
    recipe: str,
    *,
    data: str | PathLike[str] | None = None,
    epochs: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> "Network":
    """Train the network of a recipe and lower it; see :func:`rowloom.model.training.train`.

    Raises
    ------
    RowloomError
        If there is no such recipe or its data is not found.
    ToolMissing
        If torch is not installed.
    """
    from rowloom.door import train

    return train(recipe, data=data, epochs=epochs, seed=seed, progress=progress)


def run(net: "Network", x: "ArrayLike", keep: Literal["all"] | None = None, *, dequantize: bool = False) -> Any:
    """Evaluate images exactly on the golden model, in the layout of the file that ``net`` came from.

    Without such a file, and with ``keep``, it is ``net.run(x, keep)``; see :func:`rowloom.model.host.host_run`.
    """
    from rowloom.model.host import host_run

    return host_run(net, x, dequantize=dequantize) if keep is None else net.run(x, keep)


def fit(
    net: "Network", board: str, goal: str = "throughput", *, clock_mhz: float | None = None, planes: str = "auto"
) -> "ArrayConfig":
    """Choose the array that serves ``goal`` best among those that fit a board.

    Parameters
    ----------
    net : Network
    board : str
        Name of a board.
    goal : {"throughput", "latency", "size", "balanced"}
        Fewest cycles (the first two), fewest LUTs, or the least product of both.
    clock_mhz : float, optional
        The clock; the board's own choice when left out.
    planes : {"auto", "always", "never"}
        Whether layers of several bits run as bit planes; with "auto" the goal decides.

    Raises
    ------
    RowloomError
        If the board or the goal is unknown.
    DoesNotFit
        If no array fits; says what is too large.
    """
    from rowloom.boards import get
    from rowloom.boards.budget import budget
    from rowloom.hw.mapping.fit import fit

    return fit(net, budget(get(board), clock_mhz), goal, planes)


@overload
def compile(
    net: "Network",
    config: "ArrayConfig | None" = None,
    *,
    hardware: "Design | Built | str | PathLike[str] | None" = None,
) -> "Design": ...
@overload
def compile(net: "Sequence[Network]", config: "ArrayConfig") -> "tuple[Design, ...]": ...
def compile(
    net: "Network | Sequence[Network]",
    config: "ArrayConfig | None" = None,
    *,
    hardware: "Design | Built | str | PathLike[str] | None" = None,
) -> "Design | tuple[Design, ...]":
    """Map ``net`` onto an array: schedule, memory images, exact cycles.

    Parameters
    ----------
    net : Network, or several
        Several share the least accelerator that runs each of them when it is loaded, and give a design each.
    config : ArrayConfig
        The array to build.
    hardware : Design, Built or path
        Instead of ``config``, an accelerator that was built to be loaded: the design of another network, or the
        manifest of an emitted one.

    Raises
    ------
    DoesNotFit
        If the hardware lacks something; says all that it lacks.
    RowloomError
        If a layer cannot run on the array; says which and why.
    """
    from rowloom.door import map_networks

    return map_networks(net, config, hardware)


def emit(design: "Design", folder: str | PathLike[str], *, bus: str = "stream") -> None:
    """Write the accelerator as source into a folder: Verilog, manifest; what is to be loaded where it can be.

    Raises
    ------
    RowloomError
        If the bus is unknown or the folder cannot be written.
    """
    from rowloom.hw.emit import write

    write(design, folder, bus=bus)


def simulate(design: "Design", x: "ArrayLike", **options: Any) -> "Result":
    """Run images through the accelerator's Verilog and compare every layer with the golden model.

    Options as :func:`rowloom.sim.simulate`: ``simulator``, ``stalls``, ``seed``, ``netlist`` and others.

    Raises
    ------
    RowloomError
        If the images do not suit the network or an option is wrong.
    ToolMissing
        If the simulator is not installed.
    """
    import numpy as np

    from rowloom.sim import simulate

    return simulate(design, np.asarray(x), **options)


def build(
    design: "Design",
    board: str,
    *,
    out: str | PathLike[str] | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
    tries: int = 3,
    time_limit_s: float = 3600.0,
    say: Callable[[str], None] = lambda line: None,
) -> "Image":
    """Make a bitstream; see :func:`rowloom.boards.build.build`.

    Raises
    ------
    RowloomError
        If the board is unknown, or a tool is missing or fails.
    DoesNotFit, CheckFailed
        If the device is too small, or the clock is not met; both say by how much.
    """
    from rowloom.boards.build import build

    return build(
        design, board, out=out, clock_mhz=clock_mhz, seed=seed, tries=tries, time_limit_s=time_limit_s, say=say
    )


def open(address: str, **options: Any) -> "Device":
    """Open a board on a serial line, as in ``rowloom.open("serial:///dev/ttyUSB0")``.

    Raises
    ------
    RowloomError
        If it cannot be opened.
    """
    from rowloom.boards.host import open_device

    return open_device(address, **options)
