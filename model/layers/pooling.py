"""Pooling: windows of one channel at a time."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import valid_taps
from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import Shape, UnaryLayer, check_integers, slide
from rowloom.model.layers.weights import check_bias, frozen_bias
from rowloom.model.post import Post


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool2d(UnaryLayer):
    """A window that slides over each channel by itself.

    Parameters
    ----------
    kernel : (int, int)
        R, S: the window.
    stride : (int, int)
        Down and across; the window by default.
    padding : (int, int, int, int)
        Top, bottom, left, right; less than the window.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = field(default=(0, 0))
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        check_integers(self.name, "kernel", self.kernel, 2, 1)
        if self.stride == (0, 0):
            object.__setattr__(self, "stride", self.kernel)
        check_integers(self.name, "stride", self.stride, 2, 1)
        check_integers(self.name, "padding", self.padding, 4, 0)
        if max(self.padding[:2]) >= self.kernel[0] or max(self.padding[2:]) >= self.kernel[1]:
            raise RowloomError(self.name, f"padding {self.padding} must be less than the window {self.kernel}")

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (E, F, C); a window that does not fit at the bottom or the right is dropped."""
        (shape,) = shapes
        height, width = slide(self.name, shape, self.kernel, self.stride, self.padding, (1, 1))
        return height, width, shape[2]

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool2d(Pool2d):
    """The greatest value of each window; padded taps are ignored."""

    op = "max_pool2d"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AveragePool2d(Pool2d):
    """The sum of the values of each window, times what makes windows of fewer taps comparable; then ``post``.

    sum = average * scale, with one integer scale for the whole map (see :meth:`scale`), so that the average itself
    need not be an integer. Global average pooling is the window that covers the map.

    Parameters
    ----------
    count_include_pad : bool
        A padded tap counts as a value of 0 (scale R * S), else it is left out of sum and count.
    bias : int64 [C] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        For each channel; None gives the raw sums.
    """

    op = "average_pool2d"

    count_include_pad: bool = False
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        Pool2d.__post_init__(self)
        if type(self.count_include_pad) is not bool:
            raise RowloomError(self.name, f"count_include_pad must be True or False, not {self.count_include_pad!r}")
        if self.bias is not None:
            object.__setattr__(self, "bias", frozen_bias(self.name, self.bias))

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (E, F, C); a window that does not fit at the bottom or the right is dropped."""
        height, width, channels = Pool2d.output_shape(self, *shapes)
        check_bias(self.name, self.bias, channels)
        return height, width, channels

    def taps(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Return the rows [E] and the columns [F] of the windows of a map of ``shape`` that are not padding."""
        top, bottom, left, right = self.padding
        return (
            valid_taps(shape[0], self.kernel[0], self.stride[0], top, bottom),
            valid_taps(shape[1], self.kernel[1], self.stride[1], left, right),
        )

    def scale(self, shape: Shape) -> int:
        """Return what the sum of a window of a map of ``shape`` is of the window's average: sum = average * scale.

        R * S if padding counts, else the least common multiple of the counts of taps that occur.
        """
        if self.count_include_pad:
            return self.kernel[0] * self.kernel[1]
        # That of all products of a row count and a column count is the product of the two.
        rows, columns = self.taps(shape)
        return math.lcm(*rows) * math.lcm(*columns)

    def factors(self, shape: Shape) -> tuple[list[int], list[int]]:
        """Return by what window (e, f) is multiplied: the product of entry e of the first list and f of the second."""
        rows, columns = self.taps(shape)
        if self.count_include_pad:
            return [1] * len(rows), [1] * len(columns)
        return [math.lcm(*rows) // count for count in rows], [math.lcm(*columns) // count for count in columns]
