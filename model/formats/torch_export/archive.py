"""A file of ``torch.export.save``: a zip archive of a graph in JSON and of raw numbers; nothing in it is run.

What the archive pickles (sample inputs, tensors that are no plain ones) is never opened.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.formats.torch_export.program import PLAIN, Call, Program, Ref, Shape, operator_name

_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?", 28: "<u2"}
"""Of elements, by torch's numbers."""

_BFLOAT16 = 13
_KEYWORD = 2

_ADVICE = "need a file that torch.export.save has written, in the layout of torch 2.13"

_NUMBERS = frozenset(
    ("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string", "as_strings", "as_scalar_type")
)

_SENSELESS = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    OverflowError,
    EOFError,
    NotImplementedError,
    OSError,
)
"""What reading raises where an archive is not what it should be."""


def read_archive(subject: str, content: bytes) -> Program:
    """Read a file's content.

    Raises
    ------
    RowloomError
        If it is truncated, another kind of archive, or claims numbers that it does not hold.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _Archive(subject, archive, len(content)).program()
    except RowloomError:
        raise
    except zipfile.BadZipFile:
        raise RowloomError(subject, "is a zip archive that is truncated or damaged", _ADVICE) from None
    except _SENSELESS as error:
        text = " ".join(f"{type(error).__name__} {error}".split())[:120]
        raise RowloomError(subject, f"is no whole archive of an exported program ({text})", _ADVICE) from None


class _Archive:
    """What the archive's entries hold, by their places below its root."""

    def __init__(self, subject: str, archive: zipfile.ZipFile, size: int) -> None:
        self.subject = subject
        self.archive = archive
        self.size = size
        self.entries = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if any(info.filename == "serialized_exported_program.json" for info in archive.infolist()):
            raise RowloomError(subject, "is of an older torch, which pickled its numbers", _ADVICE)

    def read(self, place: str) -> bytes:
        """Return an entry; torch stores all of them as they are, so that none is greater than the file."""
        info = self.entries[place]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > self.size:
            raise RowloomError(self.subject, f"has a compressed entry {place}", _ADVICE)
        return self.archive.read(info)

    def program(self) -> Program:
        """Return the one program of the archive."""
        names = [place for place in self.entries if place.startswith("models/") and place.endswith(".json")]
        if not names:
            raise RowloomError(self.subject, f"is a zip archive of another kind: {self.kind()}", _ADVICE)
        if len(names) > 1:
            raise RowloomError(self.subject, f"holds {len(names)} programs", "need one")
        name = names[0].removeprefix("models/").removesuffix(".json")
        model = json.loads(self.read(names[0]))
        module = model["graph_module"]
        graph = module["graph"]
        shapes = {key: _shape(value) for key, value in graph["tensor_values"].items()}
        constants, inputs = self.inputs(name, module["signature"], shapes)
        outputs = []
        for spec in module["signature"]["output_specs"]:
            if "user_output" not in spec:
                raise RowloomError(self.subject, f"has a {_only(spec)[0]} among its outputs", "need tensors only")
            outputs.append(str(spec["user_output"]["arg"]["as_tensor"]["name"]))
        return Program(
            producer=f"torch.export {model.get('torch_version', '')}".strip(),
            inputs=inputs,
            outputs=tuple(outputs),
            constants=constants,
            shapes=shapes,
            calls=tuple(call for node in graph["nodes"] if (call := _call(node)).outputs),
        )

    def kind(self) -> str:
        """Return what else an archive may be."""
        marks = {
            "constants.pkl": "TorchScript's",
            "data.pkl": "torch.save's, whose pickle is not read",
            "config.json": "Keras's",
        }
        names = {info.filename.rpartition("/")[2] for info in self.archive.infolist()}
        if any("aotinductor" in info.filename for info in self.archive.infolist()):
            return "compiled by AOTInductor"
        return next((kind for mark, kind in marks.items() if mark in names), "it has no models/*.json")

    def inputs(
        self, name: str, signature: Mapping[str, Any], shapes: Mapping[str, Shape]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Shape]]:
        """Return the constants that the graph reads, and the inputs of the user."""
        tensors = {}
        for folder, kind in (("weights", "weights"), ("constants", "constants")):
            place = f"data/{folder}/{name}_{kind}_config.json"
            if place in self.entries:
                config = json.loads(self.read(place))["config"]
                tensors.update({key: (f"data/{folder}/{each['path_name']}", each) for key, each in config.items()})
        constants: dict[str, NDArray[Any]] = {}
        inputs: dict[str, Shape] = {}
        fields = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}
        for spec in signature["input_specs"]:
            kind, value = _only(spec)
            if kind == "user_input":
                argument = str(value["arg"]["as_tensor"]["name"])
                inputs[argument] = shapes[argument]
            elif kind in fields:
                key = value[fields[kind]]
                if key not in tensors:
                    raise RowloomError(f"{self.subject}: {key}", "is not in the archive", _ADVICE)
                constants[str(value["arg"]["name"])] = self.tensor(key, *tensors[key])
            else:
                raise RowloomError(self.subject, f"has a {kind} among its inputs", "need tensors only")
        return constants, inputs

    def tensor(self, key: str, place: str, config: Mapping[str, Any]) -> NDArray[Any]:
        """Return a tensor of the archive."""
        subject = f"{self.subject}: {key}"
        if config["use_pickle"]:
            raise RowloomError(subject, "is pickled, and no plain tensor", PLAIN)
        meta = config["tensor_meta"]
        sizes, strides = ([int(each["as_int"]) for each in meta[what]] for what in ("sizes", "strides"))
        offset, kind = int(meta["storage_offset"]["as_int"]), meta["dtype"]
        if kind != _BFLOAT16 and kind not in _TYPES:
            raise RowloomError(subject, f"has element type {kind}", "need floats or integers")
        held: NDArray[Any] = np.frombuffer(self.read(place), "<u2" if kind == _BFLOAT16 else _TYPES[kind])
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if min([offset, *sizes, *strides], default=0) < 0 or (0 not in sizes and last >= len(held)):
            shown = "x".join(map(str, sizes))
            raise RowloomError(subject, f"claims {shown} elements that are not in the file", "need a whole file")
        if np.prod(sizes, dtype=float) > len(held):
            raise RowloomError(subject, "repeats its elements", "need one number for each")
        if kind == _BFLOAT16:
            held = (held.astype(np.uint32) << 16).view(np.float32)
        whole = np.lib.stride_tricks.as_strided(held[offset:], sizes, [stride * held.itemsize for stride in strides])
        return np.array(whole)


def _shape(meta: Mapping[str, Any]) -> Shape:
    sizes = tuple(each.get("as_int") for each in meta["sizes"])
    if any(size is not None and type(size) is not int for size in sizes):
        raise ValueError(f"sizes {sizes}")
    return sizes


def _call(node: Mapping[str, Any]) -> Call:
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    for each in node["inputs"]:
        if each.get("kind") == _KEYWORD:
            keywords[str(each["name"])] = _argument(each["arg"])
        else:
            arguments.append(_argument(each["arg"]))
    outputs = []
    for each in node["outputs"]:
        if "as_tensor" in each:
            outputs.append(str(each["as_tensor"]["name"]))
        elif "as_tensors" in each:
            outputs.extend(str(one["name"]) for one in each["as_tensors"])
    return Call(
        name=str(node.get("name") or (outputs[0] if outputs else "")),
        target=operator_name(str(node["target"])),
        arguments=tuple(arguments),
        keywords=keywords,
        outputs=tuple(outputs),
    )


def _only(union: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the one name and value of a record that stands for one of several kinds."""
    ((name, value),) = union.items()
    return name, value


def _argument(argument: Mapping[str, Any]) -> Any:
    kind, value = _only(argument)
    if kind in _NUMBERS:
        return value
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind == "as_tensors":
        return [Ref(each["name"]) for each in value]
    if kind == "as_optional_tensor":
        return _argument(value)
    if kind == "as_optional_tensors":
        return [_argument(each) for each in value]
    if kind == "as_sym_int":
        return value.get("as_int")
    if kind == "as_sym_ints":
        return [each.get("as_int") for each in value]
    return None
