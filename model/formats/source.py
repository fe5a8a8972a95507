"""Importing a file, whose format its content tells."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from os import PathLike
from pathlib import Path

from rowloom.model.encodings import Binary, Encoding, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.formats.builder import Imported

SUFFIXES = (".onnx", ".tflite", ".pt2")
"""Of files that are imported, where their content does not tell."""

MOST_BYTES = 1 << 30
"""Of a file: what is greater is refused before it is read."""

_ADVICE = "need a QONNX, ONNX or TFLite file, or one of torch.export.save"


def import_file(
    path: str | PathLike[str],
    *,
    kind: str | None = None,
    name: str | None = None,
    input_scale: str | float | Fraction | None = None,
    input_encoding: str | Encoding | None = None,
) -> Imported:
    """Import a network from a file of another format.

    Parameters
    ----------
    path : str or path
    kind : {"qonnx", "tflite", "onnx", "torch_export"} or None
        What the file must be; None for whatever its content says.
    name : str or None
        Of the network; None for that of the file.
    input_scale : number or text such as "1/255", optional
        What a value of 1 of the input stands for, where the graph does not quantize its input.
    input_encoding : Encoding or text such as "uint8", optional
        Of the input, likewise.

    Raises
    ------
    RowloomError
        If the file cannot be read, is of no known format, or holds what is not supported.
    """
    subject = str(path)
    content = _read(subject)
    scale = None if input_scale is None else parse_scale(input_scale)
    encoding = parse_encoding(input_encoding) if isinstance(input_encoding, str) else input_encoding
    name = name or re.sub(r"[^\w.-]+", "_", Path(path).stem) or "network"
    if content[4:8] == b"TFL3":
        if kind not in (None, "tflite"):
            raise RowloomError(subject, "is a TFLite file", "use from_tflite")
        if scale is not None or encoding is not None:
            raise RowloomError(
                subject, "has an input with a scale of its own", "leave --input-scale and --input-encoding out"
            )
        from rowloom.model.formats import tflite

        with _about(subject):
            return tflite.from_bytes(subject, name, content)
    if kind == "tflite":
        raise RowloomError(subject, "is not a TFLite file", "need a file with TFL3 at byte 4")
    if is_archive(content):
        if kind not in (None, "torch_export"):
            raise RowloomError(subject, "is a zip archive", "use from_torch_export for a file of torch.export.save")
        from rowloom.model.formats import torch_export

        with _about(subject):
            return torch_export.from_bytes(subject, name, content, input_scale=scale, input_encoding=encoding)
    if kind == "torch_export":
        raise RowloomError(subject, "is no zip archive", "need a file of torch.export.save")
    if content[:1] in (b"{", b"<", b"%", b"\x89") or not content:
        raise RowloomError(subject, "is of no known format", _ADVICE)
    from rowloom.model.formats import onnx

    with _about(subject):
        return onnx.from_bytes(subject, name, content, input_scale=scale, input_encoding=encoding)


def is_foreign(path: str | PathLike[str]) -> bool:
    """Return whether a file, by its first bytes or else by its name, is of a format that is imported."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError:
        return False
    if head[4:8] == b"TFL3" or head[:1] == b"\x08":  # ONNX begins with its version, field 1
        return True
    return Path(path).suffix.lower() in SUFFIXES


@contextmanager
def _about(subject: str) -> Iterator[None]:
    """Let every error name the file, or the option that is wrong."""
    try:
        yield
    except RowloomError as error:
        if error.subject.startswith((subject, "--")):
            raise
        raise RowloomError(subject, str(error)) from None
    except (MemoryError, RecursionError):
        raise RowloomError(subject, "is too large or too deep to import") from None


def is_archive(content: bytes) -> bool:
    """Whether a file is a zip archive, as torch.export.save writes."""
    return content[:4] == b"PK\x03\x04"


def parse_scale(text: str | float | Fraction) -> Fraction:
    """Return a positive fraction: of "1/255", "0.25", or a number.

    Raises
    ------
    RowloomError
        If it is none.
    """
    try:
        scale = Fraction(text)
    except (ValueError, ZeroDivisionError, TypeError, OverflowError):
        raise RowloomError("--input-scale", f"{text!r} is no number", "need one such as 1/255") from None
    if scale <= 0 or not 2.0**-126 < scale < 2.0**126:
        raise RowloomError("--input-scale", f"must be a positive number, not {text}", "need one such as 1/255")
    return scale


def parse_encoding(text: str) -> Encoding:
    """Return an encoding by name: uint1 to uint16, int2 to int16, binary (-1, +1), ternary.

    Raises
    ------
    RowloomError
        If there is none of that name.
    """
    match = re.fullmatch(r"(u?)int(\d{1,2})", text.strip().lower())
    if match and 1 <= int(match[2]) <= 16:
        return Uniform(bits=int(match[2]), signed=not match[1])
    if text.strip().lower() in ("binary", "bipolar"):
        return Binary()
    if text.strip().lower() == "ternary":
        return Ternary()
    raise RowloomError(
        "--input-encoding", f"{text!r} is no encoding", "need one such as uint8, int4, binary or ternary"
    )


def _read(subject: str) -> bytes:
    try:
        if os.path.isdir(subject):
            raise RowloomError(subject, "is a folder", "name a file")
        if (size := os.path.getsize(subject)) > MOST_BYTES:
            raise RowloomError(subject, f"has {size:,} bytes", f"need at most {MOST_BYTES:,}")
        return Path(subject).read_bytes()
    except FileNotFoundError:
        raise RowloomError(subject, "no such file", _ADVICE) from None
    except OSError as error:
        raise RowloomError(subject, f"cannot be read: {error.strerror or error}") from None
