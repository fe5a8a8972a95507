"""Which design a board holds: a short checksum that both ends know."""

import zlib
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import numpy as np

from rowloom.boards.protocol import About

if TYPE_CHECKING:
    from rowloom.hw.design import Design


def identity(*parts: object) -> int:
    """Return 32 bits that tell descriptors apart: a checksum over every field and array inside ``parts``."""
    checksum = 0
    for part in parts:
        if isinstance(part, np.ndarray):
            text = f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes()
        elif is_dataclass(part):
            inner = identity(*(getattr(part, field.name) for field in fields(part)))
            text = f"{type(part).__name__}{inner}".encode()
        elif isinstance(part, tuple | list):
            text = f"{len(part)}:{identity(*part)}".encode()
        else:
            text = repr(part).encode()
        checksum = zlib.crc32(text, checksum)
    return checksum


def describe(design: "Design") -> About:
    """Return what the board will say of ``design``."""
    return About(
        input_bits=design.input_bits,
        output_bits=design.output_bits,
        input_beats=design.input_beats,
        output_beats=design.output_beats,
        identity=identity(design.network, design.config),
    )
