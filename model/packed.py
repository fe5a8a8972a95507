"""Sums of products of narrow codes, on packed 64-bit words: AND and population count.

A value whose encoding is affine in the bits of its code, value = offset + sum over i of coefficient[i] * bit[i],
turns a sum of products into counts of bits that two operands have in common, one count for each pair of bits. That
is bit-serial arithmetic; with one bit on either side it is the XNOR and popcount of binary networks, in which
XNOR(w, x) = 1 - w - x + 2 * AND(w, x).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.layers import Conv2d, Shape, WeightedLayer
from rowloom.model.windows import windows

MAX_PLANES = 4
"""Bits on either side; with more, counting never pays."""

MAX_TAPS = (1 << 16) - 1
"""Products in a sum, so that a count fits into 16 bits."""

BLOCK = 1 << 16
"""Counts that are formed together: few enough that they stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Planes:
    """An encoding as bits: value = offset + sum over i of coefficients[i] * (bit i of the code)."""

    offset: int
    coefficients: tuple[int, ...]

    @property
    def reach(self) -> int:
        """What no partial sum of offset and bits exceeds in magnitude."""
        return abs(self.offset) + sum(map(abs, self.coefficients))

    @classmethod
    def of(cls, encoding: Encoding) -> "Planes | None":
        """Return how values follow from bits, or None if they do not, or there are too many bits."""
        if encoding.bits > MAX_PLANES:
            return None
        top = encoding.bits - 1
        offset = int(encoding.decode(0))
        singles = [-(1 << i) if encoding.signed and i == top else 1 << i for i in range(encoding.bits)]
        coefficients = tuple(int(encoding.decode(code)) - offset for code in singles)
        codes = encoding.every_code
        values = offset + sum(c * (codes >> i & 1) for i, c in enumerate(coefficients))
        return cls(offset, coefficients) if np.array_equal(values, encoding.every_value) else None


def countable(layer: WeightedLayer, source: Encoding) -> bool:
    """Return whether a layer with activations of that encoding can be counted."""
    weight, activation = Planes.of(layer.weight_encoding), Planes.of(source)
    taps = layer.weights[0].size
    if weight is None or activation is None or taps > MAX_TAPS:
        return False
    if isinstance(layer, Conv2d) and layer.groups > 1:
        return False
    return taps * weight.reach * activation.reach < 1 << 31


def pays(layer: WeightedLayer, source: Encoding, shape: Shape, images: int) -> bool:
    """Return whether a layer can be counted, and counting is faster than multiplying floats.

    The times, in nanoseconds for an output pixel, were measured on an x86 server core with numpy 2.4. A product in a
    float32 matrix product takes 0.018, copying a value into its window 0.25. To AND, count and add a word takes 0.45,
    to gather and transpose one 3, to finish a sum 0.6, to pack a pixel 30, and to start such work on a word 4,000
    for all pixels together.

    Parameters
    ----------
    shape : (int, int, int)
        H, W, C of the input.
    images : int
        How many go through the layer together.
    """
    weight, activation = Planes.of(layer.weight_encoding), Planes.of(source)
    if weight is None or activation is None or not countable(layer, source):
        return False
    filters, rows, columns, channels = layer.weights.shape
    height, width, _ = layer.output_shape(shape)
    words = -(-rows * columns * -(-channels // 8) // 8)
    planes, passes = len(activation.coefficients), len(activation.coefficients) * len(weight.coefficients)
    multiply = rows * columns * channels * (0.018 * filters + 0.25)
    count = words * (passes * (0.45 * filters + 4000 / (images * height * width)) + 3 * planes)
    return count + 0.6 * filters + 30 < multiply


@dataclass(frozen=True, slots=True)
class PackedSums:
    """A convolution or dense layer with one group, prepared for counting.

    sum[m] = still[m] + direction[m] * (sum over i, j of v[i] * u[j] * popcount(w[i, m] & x[j])
    + weight offset * sum over j of u[j] * popcount(x[j])), where v and u are the coefficients of the weights' and the
    activations' bits, and ``still`` is the sum where every bit of the map is zero, padded taps included: those keep
    their bits zero.
    """

    layer: WeightedLayer
    weight: Planes
    activation: Planes
    words: NDArray[np.uint64]
    """[planes, M, words]: bits of the weights."""
    still: NDArray[np.int32]
    """[M, E * F]: sums of a map whose codes are all zero."""
    direction: NDArray[np.int32]
    """[M, 1]: by what a sum is multiplied, +1 or -1."""

    @classmethod
    def of(
        cls, layer: WeightedLayer, source: Encoding, still: NDArray[np.integer], direction: NDArray[np.integer]
    ) -> "PackedSums":
        """Return the layer with its weights packed.

        Parameters
        ----------
        layer : Conv2d or Linear
            :func:`Planes.of` knows its weights' encoding.
        source : Encoding
            Of the activations; known as well.
        still : integers [E, F, M]
            Sums of a map whose codes are all zero, already multiplied by the direction.
        direction : +1 or -1 [M]
            By what each sum is multiplied.
        """
        weight, activation = Planes.of(layer.weight_encoding), Planes.of(source)
        assert weight is not None
        assert activation is not None
        bits = [_bytes_of(layer.weights, plane) for plane in range(len(weight.coefficients))]
        words = np.stack([_as_words(plane.reshape(len(plane), -1)) for plane in bits])
        filters = layer.out_channels
        return cls(
            layer=layer,
            weight=weight,
            activation=activation,
            words=words,
            still=np.ascontiguousarray(still.reshape(-1, filters).T, np.int32),
            direction=direction.astype(np.int32)[:, None],
        )

    def sums(self, codes: NDArray[np.integer]) -> NDArray[np.int32]:
        """Return sums [N, E, F, M] of codes [N, H, W, C], as a view of an array [M, N, E, F]."""
        filters = self.layer.out_channels
        height, width, _ = self.layer.output_shape((codes.shape[1], codes.shape[2], codes.shape[3]))
        pixels = len(codes) * height * width
        total = np.zeros((filters, pixels), np.int32)
        together = max(1, BLOCK // max(pixels, 1))
        for plane, unit in enumerate(self.activation.coefficients):
            taps = self._taps(codes, plane)
            if self.weight.offset:
                total += np.int32(self.weight.offset * unit) * np.bitwise_count(taps).sum(axis=0, dtype=np.int32)
            for start in range(0, filters, together):
                block = slice(start, start + together)
                for words, coefficient in zip(self.words, self.weight.coefficients, strict=True):
                    counts = _common_bits(words[block], taps)
                    total[block] += np.multiply(counts, np.int32(coefficient * unit), dtype=np.int32)
        total *= self.direction
        by_image = total.reshape(filters, len(codes), height * width)
        by_image += self.still[:, None]
        return by_image.reshape(filters, len(codes), height, width).transpose(1, 2, 3, 0)

    def _taps(self, codes: NDArray[np.integer], plane: int) -> NDArray[np.uint64]:
        """Return one bit of every window: [words, N * E * F]."""
        packed = _bytes_of(codes, plane)
        if isinstance(self.layer, Conv2d):
            top, bottom, left, right = self.layer.padding
            if any(self.layer.padding):
                packed = np.pad(packed, ((0, 0), (top, bottom), (left, right), (0, 0)))
            slid = windows(packed, self.layer)
            packed = slid.reshape(-1, *slid.shape[3:])
        return np.ascontiguousarray(_as_words(packed.reshape(len(packed), -1)).T)


def _bytes_of(codes: NDArray[np.integer], plane: int) -> NDArray[np.uint8]:
    """Return one bit of every code [..., C], eight channels a byte; zeros after the last channel."""
    bits = np.ascontiguousarray(codes) >> plane & 1
    return np.packbits(bits.astype(np.uint8, copy=False), axis=-1)


def _as_words(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return rows of bytes as rows of words; zeros after the last byte."""
    count, length = rows.shape
    padded = np.zeros((count, -(-length // 8) * 8), np.uint8)
    padded[:, :length] = rows
    return padded.view(np.uint64)


def _common_bits(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return how many bits row a of left [A, words] and column b of right [words, B] have in common: [A, B]."""
    shape = (len(left), right.shape[1])
    counts = np.zeros(shape, np.uint16)
    common, bits = np.empty(shape, np.uint64), np.empty(shape, np.uint8)
    for word in range(len(right)):
        np.bitwise_and(left[:, word, None], right[word], out=common)
        np.bitwise_count(common, out=bits)
        counts += bits
    return counts
