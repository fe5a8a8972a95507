"""Two-dimensional convolution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import Shape, UnaryLayer, check_integers, slide
from rowloom.model.layers.weights import freeze_weights
from rowloom.model.operation import Operation
from rowloom.model.post import Post


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv2d(UnaryLayer):
    """Two-dimensional convolution: a sum over the kernel and a group's channels, then ``post``.

    sum[e, f, m] = bias[m] + the sum over r, s, c of weight[m, r, s, c] * x[e * stride[0] + r * dilation[0] - top,
    f * stride[1] + s * dilation[1] - left, group's c], in values, not codes; ``operation`` may put another function of
    the two in place of their product. Taps outside of the map contribute exactly zero, whatever the operation, or
    hold the value ``pad_value`` if that is given.

    Parameters
    ----------
    weights : codes [M, R, S, C // groups]
        Of ``weight_encoding``.
    weight_encoding : Encoding
        What the weights' codes mean.
    stride, dilation : (int, int)
        Down and across, at least 1.
    padding : (int, int, int, int)
        Top, bottom, left, right; less than the dilated kernel.
    groups : int
        Divides C and M; depthwise is groups = C.
    pad_value : int or None
        Value (not code) of a padded tap.
    operation : Operation
        What a tap makes of value and weight: their product, or the negative of their distance.
    bias : int64 [M] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        None gives the raw sums.
    """

    op = "conv2d"

    weights: NDArray[Any]
    weight_encoding: Encoding
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int | None = None
    operation: Operation = Operation.MULTIPLY
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        check_integers(self.name, "stride", self.stride, 2, 1)
        check_integers(self.name, "padding", self.padding, 4, 0)
        check_integers(self.name, "dilation", self.dilation, 2, 1)
        check_integers(self.name, "groups", (self.groups,), 1, 1)
        if self.pad_value is not None and (type(self.pad_value) is not int or abs(self.pad_value) >= 1 << MAX_BITS):
            raise RowloomError(
                self.name, f"pad_value must be an integer of at most {MAX_BITS} bits, not {self.pad_value!r}"
            )
        freeze_weights(self)
        if len(self.weights) % self.groups:
            raise RowloomError(self.name, f"has {len(self.weights)} filters, not a multiple of {self.groups} groups")
        _, rows, columns, _ = self.weights.shape
        for what, extent, dilation, padding in (
            ("top and bottom", rows, self.dilation[0], self.padding[:2]),
            ("left and right", columns, self.dilation[1], self.padding[2:]),
        ):
            if max(padding) > dilation * (extent - 1):
                raise RowloomError(
                    self.name, f"{what} padding must be at most {dilation * (extent - 1)}, not {max(padding)}"
                )

    @property
    def out_channels(self) -> int:
        """M, the number of filters."""
        return len(self.weights)

    @property
    def depthwise(self) -> bool:
        """Whether there are several groups and every one has one channel: groups = C."""
        return self.groups > 1 and self.weights.shape[3] == 1

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (E, F, M)."""
        (shape,) = shapes
        channels = self.weights.shape[3] * self.groups
        if shape[2] != channels:
            raise RowloomError(self.name, f"has weights for {channels} channels, but {self.input} has {shape[2]}")
        kernel = (self.weights.shape[1], self.weights.shape[2])
        height, width = slide(self.name, shape, kernel, self.stride, self.padding, self.dilation)
        return height, width, self.out_channels

    def macs(self, *shapes: Shape) -> int:
        """Return E * F * M * R * S * C / groups."""
        height, width, _ = self.output_shape(*shapes)
        return height * width * self.weights.size
