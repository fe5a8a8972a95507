"""Writing a network for other tools: as a QONNX graph, or as JSON."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

from rowloom.model.errors import RowloomError
from rowloom.model.network import Network
from rowloom.model.store import manifest_of


def export_bytes(network: Network, path: str | PathLike[str]) -> bytes:
    """Return what a file of that name holds: QONNX for ``.onnx``, a description for ``.json``.

    Raises
    ------
    RowloomError
        If the name ends otherwise, or the network has what the format cannot tell.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".json":
        return (json.dumps(describe(network), indent=1) + "\n").encode()
    if suffix == ".onnx":
        from rowloom.model.formats.qonnx_writer import to_qonnx

        content: bytes = to_qonnx(network).SerializeToString(deterministic=True)
        return content
    raise RowloomError(str(path), "has no known ending", "need .onnx (QONNX) or .json")


def describe(network: Network) -> dict[str, Any]:
    """Return everything about a network as one JSON object, arrays as nested lists."""
    manifest, arrays = manifest_of(network)

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"array"}:
                array = arrays[value["array"]]
                return {"dtype": array.dtype.name, "shape": list(array.shape), "values": array.tolist()}
            return {key: filled(each) for key, each in value.items()}
        return [filled(each) for each in value] if isinstance(value, list) else value

    described: dict[str, Any] = filled(manifest)
    return described
