"""One file for a network: a zip of JSON and ``.npy`` arrays, readable with numpy alone.

``network.json`` holds everything but the arrays, and names them; ``numpy.load`` opens the file as it would an
``.npz``. The same network gives the same bytes.
"""

import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import OPS, Layer
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Requantize, Thresholds
from rowloom.model.store_views import input_from_json, input_to_json, output_from_json, output_to_json

FORMAT = "rowloom-network"
SCHEMA = 4
"""Greatest version of the file's layout; a reader refuses greater ones. A file has the least that tells its network."""

_FIRST_OPS = frozenset({"conv2d", "linear", "max_pool2d", "argmax"})
"""Operators of version 1. Since 2 there are more, a layer may have several inputs, and it may have an operation. 3
adds views of the input and the outputs, 4 what the host does after these."""

DIFFERENCES = 64
"""Since 3, so many thresholds a channel are kept as differences, modulo 2^64: nearly equal, they take little room."""

_MANIFEST = "network.json"
_LARGE = 1 << 20
"""Bytes from which a member is compressed by level 6: 9 takes 45 times as long on one-bit codes, for 6 % less."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ORDER = {name: place for place, name in enumerate(("name", "input", "inputs", "output"))}
_POSTS: dict[str, type[Thresholds] | type[Requantize]] = {"thresholds": Thresholds, "requantize": Requantize}


def save(network: Network, path: str | PathLike[str]) -> None:
    """Write a network to ``path``: beside it first, then renamed, so that no half file is ever seen.

    Raises
    ------
    RowloomError
        If the file cannot be written.
    """
    manifest, arrays = manifest_of(network)
    members = {_MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        members[name] = buffer.getvalue()
    _write_beside(Path(path), members)


def manifest_of(network: Network) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return everything about a network as a JSON object, and the arrays that the object names."""
    arrays: dict[str, NDArray[Any]] = {}
    layers = [_layer_to_json(layer, arrays) for layer in network.layers]
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "schema": _least_schema(network, layers),
        "name": network.name,
        "input": network.input,
        "outputs": list(network.outputs),
        "about": dict(network.about),
        "tensors": [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "encoding": tensor.encoding.to_json(),
                "scale": tensor.scale,
            }
            for tensor in network.tensors
        ],
        "layers": layers,
    }
    if network.input_view is not None:
        manifest["input_view"] = input_to_json(network.input_view, arrays)
    if network.output_views:
        manifest["output_views"] = [output_to_json(view) for view in network.output_views]
    return manifest, arrays


def load(path: str | PathLike[str]) -> Network:
    """Read a network from the file that :func:`save` wrote.

    Raises
    ------
    RowloomError
        If the file is missing, truncated, not a network, newer than this reader, or inconsistent; the
        error names the file.
    """
    name = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            _check_version(name, manifest)
            return _network_from_json(manifest, lambda member: _read_array(archive, member))
    except FileNotFoundError:
        raise RowloomError(name, "there is no such file") from None
    except RowloomError as error:
        raise error if error.subject == name else RowloomError(name, str(error)) from None
    except OSError as error:
        raise RowloomError(name, f"cannot be read: {error.strerror or error}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ):
        raise RowloomError(name, "is truncated or not a rowloom network") from None


def _least_schema(network: Network, layers: list[dict[str, Any]]) -> int:
    """Return the least version of the layout that tells a network."""
    if any(view.endings for view in network.output_views):
        return 4
    if network.input_view is not None or network.output_views:
        return 3
    return max(map(_schema, layers), default=1)


def _check_version(name: str, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RowloomError(name, "is not a rowloom network")
    schema = manifest.get("schema")
    if type(schema) is not int or schema < 1:
        raise RowloomError(name, f"has schema {schema!r}", "must be an integer of at least 1")
    if schema > SCHEMA:
        raise RowloomError(name, f"has schema {schema}, newer than {SCHEMA}", "update rowloom to read it")


def _schema(layer: dict[str, Any]) -> int:
    """Return the least version that tells a layer."""
    if "differences" in ((layer.get("post") or {}).get("values") or {}):
        return 3
    return 1 if layer["op"] in _FIRST_OPS and "operation" not in layer else 2


def _layer_to_json(layer: Layer, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    def plain(owner: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays[f"{owner}.npy"] = value
            return {"array": f"{owner}.npy"}
        if isinstance(value, Encoding):
            return value.to_json()
        if isinstance(value, Operation):
            return value.value
        if isinstance(value, Thresholds | Requantize):
            kind = next(kind for kind, cls in _POSTS.items() if isinstance(value, cls))
            if isinstance(value, Thresholds) and value.values.shape[1] >= DIFFERENCES:
                arrays[f"{owner}.values.npy"] = np.diff(value.values, axis=1, prepend=0)
                values = {"array": f"{owner}.values.npy", "differences": True}
                return {"kind": kind, "values": values, "direction": plain(f"{owner}.direction", value.direction)}
            return {"kind": kind} | {f.name: plain(f"{owner}.{f.name}", getattr(value, f.name)) for f in fields(value)}
        if isinstance(value, tuple):
            return [plain(f"{owner}.{i}", each) for i, each in enumerate(value)]
        return value

    # Arrays are numbered by layer, so that a name may hold any character.
    owner = f"{len({name.split('.')[0] for name in arrays}):03d}"
    stated = [f.name for f in fields(layer) if getattr(layer, f.name) is not Operation.MULTIPLY]
    stated.sort(key=lambda name: _ORDER.get(name, len(_ORDER)))
    return {"op": layer.op} | {name: plain(f"{owner}.{name}", getattr(layer, name)) for name in stated}


def _network_from_json(manifest: dict[str, Any], read: Callable[[str], NDArray[Any]]) -> Network:
    return Network(
        name=manifest["name"],
        input=manifest["input"],
        outputs=tuple(manifest["outputs"]),
        about=manifest["about"],
        tensors=tuple(
            Tensor(
                name=tensor["name"],
                shape=tuple(tensor["shape"]),
                encoding=Encoding.from_json(tensor["encoding"]),
                scale=tensor["scale"],
            )
            for tensor in manifest["tensors"]
        ),
        layers=tuple(_layer_from_json(layer, read) for layer in manifest["layers"]),
        input_view=input_from_json(manifest["input_view"], read) if "input_view" in manifest else None,
        output_views=tuple(output_from_json(view) for view in manifest.get("output_views", [])),
    )


def _layer_from_json(obj: dict[str, Any], read: Callable[[str], NDArray[Any]]) -> Layer:
    def value(key: str, plain: Any) -> Any:
        if isinstance(plain, dict) and "array" in plain:
            array = read(plain["array"])
            return np.cumsum(array, axis=1) if plain.get("differences") else array
        if key == "weight_encoding":
            return Encoding.from_json(plain)
        if key == "operation" and plain in {operation.value for operation in Operation}:
            return Operation(plain)
        if key == "post" and plain is not None:
            arguments = {name: value(name, each) for name, each in plain.items()}
            return _POSTS[arguments.pop("kind")](**arguments)
        return tuple(value(key, each) for each in plain) if isinstance(plain, list) else plain

    arguments = {key: value(key, plain) for key, plain in obj.items()}
    op = arguments.pop("op")
    if op not in OPS:
        raise RowloomError(str(arguments.get("name")), f"unknown operator {op!r}")
    return OPS[op](**arguments)


def _read_array(archive: zipfile.ZipFile, member: str) -> NDArray[Any]:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _write_beside(path: Path, members: dict[str, bytes]) -> None:
    """Write a zip next to ``path`` and rename it; remove it if anything fails."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise RowloomError(str(path), f"cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                info = zipfile.ZipInfo(name, _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content, compresslevel=9 if len(content) < _LARGE else 6)
        # mkstemp makes the file private; give it what an ordinary new file would have.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except OSError as error:
        raise RowloomError(str(path), f"cannot be written: {error.strerror}") from None
    finally:
        Path(temporary).unlink(missing_ok=True)
