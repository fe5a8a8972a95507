"""Memory words of weight codes, made when somebody looks at them: a mapper that tries many arrays does not."""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["WeightWords"]


class WeightWords(Sequence[tuple[int, ...]]):
    """The weight memories of an array: for each row a tuple of words, code 0 at the low end.

    Parameters
    ----------
    codes : sequence of int [rows, depth, products]
        Of the layers, one behind the other.
    bits : int
        Of a code; codes that are negative are stored in two's complement.
    """

    def __init__(self, codes: Sequence[NDArray[np.integer]], bits: int):
        self._codes = tuple(codes)
        self._bits = bits
        self._made: dict[int, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._codes[0])

    @overload
    def __getitem__(self, row: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[tuple[int, ...], ...]: ...
    def __getitem__(self, row: int | slice) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        if isinstance(row, slice):
            return tuple(self[each] for each in range(len(self))[row])
        at = range(len(self))[row]
        if at not in self._made:
            self._made[at] = self._words(at)
        return self._made[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _words(self, row: int) -> tuple[int, ...]:
        codes = np.concatenate([layer[row] for layer in self._codes])
        bits = (codes[..., None] >> np.arange(self._bits) & 1).astype(np.uint8).reshape(len(codes), -1)
        packed = np.packbits(bits, axis=-1, bitorder="little")
        return tuple(int.from_bytes(word.tobytes(), "little") for word in packed)
