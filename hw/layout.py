"""Where the codes of a tensor lie in the banks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A map of H x W x C codes in the banks.

    Row y lies in bank ``y % banks``. A pixel takes ``words`` words of ``lanes`` codes, low bits
    first; lanes without a channel hold zero. A *packed* map (``window > 1``) has a pixel for each
    output column of the first layer instead, holding that column's window of input columns. If it is *deep*, a row
    holds several input rows, and a pixel the words of their windows one after the other.

    Parameters
    ----------
    shape : (int, int, int)
        H, W, C.
    bits, lanes : int
        Bits of a code, codes of a word.
    banks : int
    signed : bool
        Whether codes are two's complement.
    window, stride, padding, columns : int
        Of a packed map: columns of a window, input columns between windows, padded columns at the
        left, and number of windows.
    deep : int
        Of a packed map: input rows that a row holds.
    planes : bool
        A pixel's word is stored as ``bits`` words of one bit of each code, low bits first.
    base : int
        Address of the map in every bank.
    pitch : int
        Words of a bank from a pixel to the next; more than its own where a pixel also holds other maps.
    order : tuple of int
        Place of each channel among the codes of a pixel. Default: channel c at place c.
    """

    shape: tuple[int, int, int]
    bits: int
    lanes: int
    banks: int
    signed: bool = False
    window: int = 1
    stride: int = 1
    padding: int = 0
    columns: int = 0
    deep: int = 1
    planes: bool = False
    base: int = 0
    pitch: int = 0
    order: tuple[int, ...] = ()

    @property
    def packed(self) -> bool:
        return self.columns > 0

    @property
    def width(self) -> int:
        """Pixels of a row as they are stored."""
        return self.columns or self.shape[1]

    @property
    def rows(self) -> int:
        """Rows as they are stored."""
        return -(-self.shape[0] // self.deep)

    @property
    def channels(self) -> int:
        """Codes of a stored pixel."""
        return self.window_codes * self.deep

    @property
    def window_codes(self) -> int:
        """Codes of a stored pixel in an input row."""
        return self.shape[2] * self.window

    @property
    def window_words(self) -> int:
        """Words of a stored pixel in an input row."""
        return -(-(max(self.order) + 1 if self.order else self.window_codes) // self.lanes)

    @property
    def places(self) -> np.ndarray:
        """Place of each channel among the codes of a pixel, int64 [channels]."""
        if self.order:
            return np.array(self.order, np.int64)
        starts = np.arange(self.deep)[:, None] * self.window_words * self.lanes
        return (starts + np.arange(self.window_codes)).reshape(-1)

    @property
    def words(self) -> int:
        """Words of a stored pixel, each of them ``word_planes`` words of a bank."""
        return self.window_words * self.deep

    @property
    def word_planes(self) -> int:
        """Words of a bank that hold the codes of one word."""
        return self.bits if self.planes else 1

    @property
    def word_bits(self) -> int:
        """Bits of a word of a bank."""
        return self.lanes * (1 if self.planes else self.bits)

    @property
    def pixel_words(self) -> int:
        """Words of a bank from a stored pixel to the next."""
        return self.pitch or self.words * self.word_planes

    @property
    def row_words(self) -> int:
        return self.width * self.pixel_words

    @property
    def depth(self) -> int:
        """Words that the map takes in every bank."""
        return -(-self.rows // self.banks) * self.row_words

    def extract(self, banks: Sequence[Sequence[int]]) -> np.ndarray:
        """Codes int64 [H, W, C] from the contents of the banks (words as integers)."""
        _, width, channels = self.shape
        bits = self.bits // self.word_planes  # of a code, in one word
        size = -(-self.word_bits // 8)
        mask = (1 << self.word_bits) - 1
        weights = 1 << np.arange(bits)
        stored = np.zeros((self.rows, self.width, self.channels), np.int64)
        for y in range(self.rows):
            start = self.base + y // self.banks * self.row_words
            row = banks[y % self.banks][start : start + self.row_words]
            taken = b"".join((int(word) & mask).to_bytes(size, "little") for word in row)
            flat = np.unpackbits(np.frombuffer(taken, np.uint8), bitorder="little").reshape(len(row), -1)
            codes = flat[:, : self.word_bits].reshape(len(row), self.lanes, bits) @ weights
            if len(row) < self.row_words:  # the last pixel ends before the next one's other maps
                codes = np.concatenate([codes, np.zeros((self.row_words - len(row), self.lanes), np.int64)])
            mine = codes.reshape(self.width, self.pixel_words, self.lanes)[:, : self.words * self.word_planes]
            planes = mine.reshape(self.width, self.words, self.word_planes, self.lanes)
            whole = (planes << np.arange(self.word_planes)[:, None]).sum(2)
            stored[y] = whole.reshape(self.width, -1)[:, self.places]
        if self.signed:
            stored -= (stored >> (self.bits - 1)) << self.bits
        if not self.packed:
            return stored
        # [row, column, input row of the row, code of its window] -> [input row, column, code]
        by_row = stored.reshape(self.rows, self.width, self.deep, -1).swapaxes(1, 2)
        stored = by_row.reshape(-1, self.width, self.window_codes)[: self.shape[0]]
        codes = np.zeros(self.shape, np.int64)
        for f in range(self.columns):
            for s in range(self.window):
                x = f * self.stride - self.padding + s
                if 0 <= x < width:
                    codes[:, x] = stored[:, f, s * channels : (s + 1) * channels]
        return codes
