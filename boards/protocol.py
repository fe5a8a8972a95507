"""The bytes that host and board exchange, in plain Python; `docs/uart.md` tells it in words."""

import binascii
import enum
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError

VERSION = 1
"""Version of this framing, the first byte of a `Kind.ABOUT` answer."""

CRC_BYTES = 2


class Kind(enum.IntEnum):
    """First byte of every frame."""

    RUN = 0x52  # 'R': an image, or its result
    ABOUT = 0x56  # 'V': what is on the board
    ERROR = 0x45  # 'E', answers only: the request was not understood


class Fault(enum.IntEnum):
    """Why a request failed: the payload of a `Kind.ERROR` frame."""

    CRC = 1
    TIME_OUT = 2
    LINE = 3
    UNKNOWN = 4


FAULT_TEXT = {
    Fault.CRC: "the request's checksum was wrong",
    Fault.TIME_OUT: "the request was cut short",
    Fault.LINE: "a byte of the request was lost on the line",
    Fault.UNKNOWN: "the request was of an unknown kind",
}


def symbol_bytes(bits: int) -> int:
    """Return the bytes that a number of so many bits takes on the line."""
    return -(-bits // 8)


def crc(data: bytes) -> bytes:
    """Return the CRC-16/IBM-3740 of ``data`` (polynomial 0x1021, start 0xFFFF), most significant byte first."""
    return binascii.crc_hqx(data, 0xFFFF).to_bytes(CRC_BYTES, "big")


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """Return a whole frame: kind, payload, checksum."""
    body = bytes([kind]) + payload
    return body + crc(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a board says of itself.

    Attributes
    ----------
    input_bits, output_bits : int
        Bits of an input code and of an output value.
    input_beats, output_beats : int
        Codes in an image and values in a result.
    identity : int
        32 bits that tell one design from another; see :func:`rowloom.boards.identity.identity`.
    """

    input_bits: int
    output_bits: int
    input_beats: int
    output_beats: int
    identity: int

    _LAYOUT = struct.Struct("<BBBIII")

    @property
    def input_bytes(self) -> int:
        """Bytes of an image on the line."""
        return self.input_beats * symbol_bytes(self.input_bits)

    @property
    def output_bytes(self) -> int:
        """Bytes of a result on the line."""
        return self.output_beats * symbol_bytes(self.output_bits)

    def pack(self) -> bytes:
        """Return the payload of a `Kind.ABOUT` answer."""
        return self._LAYOUT.pack(
            VERSION, self.input_bits, self.output_bits, self.input_beats, self.output_beats, self.identity
        )

    @classmethod
    def unpack(cls, payload: bytes) -> "About":
        """Read the payload of a `Kind.ABOUT` answer.

        Raises
        ------
        RowloomError
            If it has another length or another version.
        """
        if not payload or payload[0] != VERSION:
            raise RowloomError("board", f"speaks framing version {payload[:1].hex() or 'none'}", f"need {VERSION}")
        if len(payload) != cls._LAYOUT.size:
            raise RowloomError("board", f"sent {len(payload)} bytes about itself", f"need {cls._LAYOUT.size}")
        _, input_bits, output_bits, input_beats, output_beats, identity = cls._LAYOUT.unpack(payload)
        return cls(
            input_bits=input_bits,
            output_bits=output_bits,
            input_beats=input_beats,
            output_beats=output_beats,
            identity=identity,
        )

    @classmethod
    def size(cls) -> int:
        """Return the length of the payload, bytes."""
        return cls._LAYOUT.size

    def encode_image(self, codes: NDArray[np.integer]) -> bytes:
        """Return the request that runs one image.

        Parameters
        ----------
        codes : integer array of ``input_beats`` elements, any shape
            Codes in the order y, x, c; negative ones are sent as two's complement.

        Raises
        ------
        RowloomError
            If the number of codes is wrong or one does not fit into ``input_bits``.
        """
        flat = np.asarray(codes).reshape(-1)
        if flat.size != self.input_beats:
            raise RowloomError("image", f"has {flat.size} codes", f"need {self.input_beats}")
        low, high = -(1 << (self.input_bits - 1)), (1 << self.input_bits) - 1
        if flat.size and (flat.min() < low or flat.max() > high):
            raise RowloomError(
                "image", f"has codes from {flat.min()} to {flat.max()}", f"need {self.input_bits} bits at most"
            )
        return frame(Kind.RUN, _to_bytes(flat.astype(np.int64), symbol_bytes(self.input_bits)))

    def decode_result(self, payload: bytes) -> NDArray[np.int64]:
        """Return the values of a `Kind.RUN` answer, int64 [``output_beats``], in the order y, x, c."""
        return _from_bytes(payload, symbol_bytes(self.output_bits))


def _to_bytes(values: NDArray[np.int64], width: int) -> bytes:
    """Return ``values`` in two's complement, ``width`` bytes each (at most 8), little endian."""
    return values.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()


def _from_bytes(data: bytes, width: int) -> NDArray[np.int64]:
    """Invert :func:`_to_bytes`, with the sign."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    wide = np.where(rows[:, -1:] & 0x80, np.uint8(0xFF), np.uint8(0)).repeat(8, axis=1)
    wide[:, :width] = rows
    return np.ascontiguousarray(wide).view("<i8").reshape(-1).astype(np.int64)
