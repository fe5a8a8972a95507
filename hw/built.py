"""What was built, in a file: configuration and parameters of an accelerator that networks are to run on later."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.lane_parameters import ExtraLanes, LineParameters
from rowloom.hw.parameters import Hardware, SkipParameters
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError

__all__ = ["Built"]

#: Version of the file.
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An accelerator without a network.

    Parameters
    ----------
    config : ArrayConfig
        What was asked for.
    hardware : Hardware
        What was built.
    """

    config: ArrayConfig
    hardware: Hardware

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that :meth:`from_json` takes."""
        return {"schema": SCHEMA, "config": self.config.to_json(), "hardware": _plain(self.hardware)}

    @classmethod
    def from_json(cls, obj: Any, subject: str = "hardware") -> "Built":
        """Return what a JSON object tells; other keys than those of :meth:`to_json` are left alone.

        Raises
        ------
        RowloomError
            About ``subject``, if it is of another version or lacks something.
        """
        if not isinstance(obj, Mapping) or not {"config", "hardware"} <= set(obj):
            raise RowloomError(subject, "does not tell of an accelerator", "name a manifest.json that emit has written")
        if obj.get("schema") != SCHEMA:
            raise RowloomError(subject, f"is of version {obj.get('schema')}", f"need {SCHEMA}")
        try:
            config = ArrayConfig(**obj["config"] | {"units": tuple(obj["config"]["units"])})
            return cls(config=config, hardware=_hardware(obj["hardware"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise RowloomError(subject, f"does not tell of an accelerator ({error})") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file that :meth:`load` takes."""
        try:
            Path(path).write_text(json.dumps(self.to_json(), indent=2) + "\n")
        except OSError as error:
            raise RowloomError(str(path), f"cannot be written ({error.strerror})") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Built":
        """Read a file of :meth:`save`, or the manifest of an emitted accelerator.

        Raises
        ------
        RowloomError
            If it is not there or tells of no accelerator.
        """
        try:
            text = Path(path).read_text()
        except (OSError, UnicodeDecodeError):
            raise RowloomError(str(path), "cannot be read", "name a manifest.json that emit has written") from None
        try:
            obj = json.loads(text)
        except json.JSONDecodeError as error:
            raise RowloomError(str(path), f"is no JSON ({error})") from None
        return cls.from_json(obj, str(path))


def _plain(value: Any) -> Any:
    """What JSON can hold for parameters."""
    if isinstance(value, Encoding):
        return value.to_json()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _hardware(obj: Mapping[str, Any]) -> Hardware:
    values = {name: _tuples(value) for name, value in obj.items()}
    values["arrays"] = tuple(ArrayParameters(**_decoded(each)) for each in obj["arrays"])
    values["vectors"] = tuple(VectorParameters(**_decoded(each)) for each in obj["vectors"])
    values["line"] = LineParameters(**obj["line"]) if obj["line"] is not None else None
    if obj["extra"] is not None:
        line = obj["extra"]["line"]
        extra = obj["extra"] | {"line": LineParameters(**line) if line is not None else None}
        values["extra"] = ExtraLanes(**extra)
    values["skips"] = SkipParameters(**obj["skips"]) if obj["skips"] is not None else None
    return Hardware(**values)


def _decoded(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Encoding.from_json(value) if isinstance(value, Mapping) else value for name, value in obj.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
