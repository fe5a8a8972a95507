"""Dense layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import Shape, UnaryLayer
from rowloom.model.layers.weights import freeze_weights
from rowloom.model.operation import Operation
from rowloom.model.post import Post


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear(UnaryLayer):
    """A dense layer over a whole map: a convolution whose kernel covers it, so flattening never moves data.

    Parameters
    ----------
    weights : codes [M, H, W, C]
        Of ``weight_encoding``.
    weight_encoding : Encoding
        What the weights' codes mean.
    operation : Operation
        What a tap makes of value and weight.
    bias : int64 [M] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        None gives the raw sums.
    """

    op = "linear"

    weights: NDArray[Any]
    weight_encoding: Encoding
    operation: Operation = Operation.MULTIPLY
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        freeze_weights(self)

    @property
    def out_channels(self) -> int:
        """M, the number of filters."""
        return len(self.weights)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (1, 1, M)."""
        (shape,) = shapes
        if shape != self.weights.shape[1:]:
            raise RowloomError(
                self.name, f"has weights for a map of {self.weights.shape[1:]}, but {self.input} is {shape}"
            )
        return 1, 1, self.out_channels

    def macs(self, *shapes: Shape) -> int:
        """Return M * H * W * C."""
        return int(self.weights.size)
