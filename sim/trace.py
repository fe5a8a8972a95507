"""The events that a bench wrote down, read into arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["LayerDone", "Trace", "read_trace"]

#: Hexadecimal digits of a record's fields before the word: cycle, index, number.
_CYCLE, _INDEX, _NUMBER = 12, 4, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDone:
    """A layer that ended.

    Parameters
    ----------
    layer : int
        Its index.
    cycles : int
        What the accelerator's own counter says.
    cycle : int
        Clock edge of the strobe.
    writes : slice
        The writes into banks since the layer before, as a range of the trace's writes.
    """

    layer: int
    cycles: int
    cycle: int
    writes: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All writes into activation banks, and the ends of layers between them.

    Parameters
    ----------
    cycle : int64 [n]
        Clock edge of each write, ascending.
    bank : int64 [n]
    address : int64 [n]
    word : uint64 or object [n]
        Unsigned; Python integers where words are wider than 64 bits. Unknown bits are read as 0.
    unknown : bool [n]
        Whether the word holds unknown bits (``x``), which Icarus knows and Verilator does not.
    layers : tuple of LayerDone
    """

    cycle: NDArray[np.int64]
    bank: NDArray[np.int64]
    address: NDArray[np.int64]
    word: NDArray
    unknown: NDArray[np.bool_]
    layers: tuple[LayerDone, ...]

    def __iter__(self) -> Iterator[LayerDone]:
        return iter(self.layers)


def read_trace(path: Path, data_bits: int) -> Trace:
    """Read the file of a bench (see :func:`rowloom.sim.bench.bench`).

    Parameters
    ----------
    path : Path
    data_bits : int
        Bits of a record's last field, a multiple of 8.

    Raises
    ------
    ValueError
        If the file holds anything but records.
    """
    digits = _CYCLE + _INDEX + _NUMBER + data_bits // 4
    raw = np.fromfile(path, dtype=np.uint8)
    if len(raw) % (digits + 2):
        raw = raw[: len(raw) // (digits + 2) * (digits + 2)]  # a run that was cut short
    records = raw.reshape(-1, digits + 2)
    nibbles = _NIBBLE[records[:, 1:-1]]
    nibbles, unknown = np.where(nibbles == _UNKNOWN, 0, nibbles), (nibbles == _UNKNOWN).any(axis=1)
    bad = np.flatnonzero((nibbles > 15).any(axis=1) | (records[:, -1] != ord("\n")))
    if len(bad):
        raise ValueError(f"line {bad[0] + 1} of the trace is not a record: {bytes(records[bad[0]])!r}")
    cycle = _number(nibbles[:, :_CYCLE])
    index = _number(nibbles[:, _CYCLE : _CYCLE + _INDEX])
    number = _number(nibbles[:, _CYCLE + _INDEX : _CYCLE + _INDEX + _NUMBER])
    high_first = nibbles[:, _CYCLE + _INDEX + _NUMBER :]
    octets = (high_first[:, 0::2] << 4 | high_first[:, 1::2])[:, ::-1]

    ends = np.flatnonzero(records[:, 0] == ord("l"))
    stops = ends - np.arange(len(ends))
    starts = np.concatenate([[0], stops[:-1]])[: len(ends)]
    layers = []
    for end, start, stop in zip(ends, starts, stops, strict=True):
        layers.append(
            LayerDone(
                layer=int(index[end]),
                cycles=int(number[end]),
                cycle=int(cycle[end]),
                writes=slice(int(start), int(stop)),
            )
        )
    kept = records[:, 0] == ord("w")
    return Trace(
        cycle=cycle[kept],
        bank=index[kept],
        address=number[kept],
        word=_words(octets[kept]),
        unknown=unknown[kept],
        layers=tuple(layers),
    )


def _number(nibbles: NDArray[np.uint8]) -> NDArray[np.int64]:
    weights = 16 ** np.arange(nibbles.shape[1] - 1, -1, -1, dtype=np.int64)
    return nibbles.astype(np.int64) @ weights


def _words(octets: NDArray[np.uint8]) -> NDArray:
    """Unsigned words of bytes [n, bytes], least significant first."""
    count, width = octets.shape
    if width <= 8:
        padded = np.zeros((count, 8), dtype=np.uint8)
        padded[:, :width] = octets
        return padded.view("<u8")[:, 0]
    buffer = np.ascontiguousarray(octets).tobytes()
    words = np.empty(count, dtype=object)
    words[:] = [int.from_bytes(buffer[at : at + width], "little") for at in range(0, len(buffer), width)]
    return words


_UNKNOWN = 16
_NIBBLE = np.full(256, 255, dtype=np.uint8)
for _value, _character in enumerate("0123456789abcdef"):
    _NIBBLE[ord(_character)] = _value
for _character in "xXzZ":
    _NIBBLE[ord(_character)] = _UNKNOWN
