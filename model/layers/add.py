"""Elementwise sums of several maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers
from rowloom.model.layers.base import NaryLayer, Shape
from rowloom.model.layers.weights import check_bias, frozen_bias
from rowloom.model.post import Post


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Add(NaryLayer):
    """The elementwise sum of maps of equal shape, each through a table of its codes; then ``post``.

    sum[h, w, c] = bias[c] + the sum over i of tables[i][code_i[h, w, c] - code_min_i]. A table may hold a product
    with an integer (:meth:`scaled`) or any other function of a code, such as a rescaling with its own rounding. With
    one input it is a rescaling of that map.

    Parameters
    ----------
    tables : tuple of int64 arrays
        One for each input, with an entry for every code from its encoding's ``code_min`` to ``code_max``.
    bias : int64 [C] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        For each channel; None gives the raw sums.
    """

    op = "add"

    tables: tuple[NDArray[np.int64], ...]
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        NaryLayer.__post_init__(self)
        if not isinstance(self.tables, tuple) or len(self.tables) != len(self.inputs):
            count = len(self.tables) if isinstance(self.tables, tuple) else repr(self.tables)
            raise RowloomError(
                self.name, f"tables must be a tuple of one for each of {len(self.inputs)} inputs, not {count}"
            )
        tables = [
            frozen_integers(table, dtype=np.int64, ndim=1, subject=f"{self.name} table {i}")
            for i, table in enumerate(self.tables)
        ]
        object.__setattr__(self, "tables", tuple(tables))
        if self.bias is not None:
            object.__setattr__(self, "bias", frozen_bias(self.name, self.bias))

    @classmethod
    def scaled(cls, *, encodings: Sequence[Encoding], multipliers: Sequence[int], **fields: Any) -> "Add":
        """Return the layer that adds each input's value times an integer.

        Parameters
        ----------
        encodings : sequence of Encoding
            Of the inputs.
        multipliers : sequence of int
            By which their values are multiplied.
        **fields
            All others but ``tables``.
        """
        tables = tuple(
            encoding.every_value * multiplier for encoding, multiplier in zip(encodings, multipliers, strict=True)
        )
        return cls(tables=tables, **fields)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape that all inputs have."""
        for name, shape in zip(self.inputs, shapes, strict=True):
            if shape != shapes[0]:
                raise RowloomError(
                    self.name, f"adds maps of equal shape, but {self.inputs[0]} is {shapes[0]} and {name} is {shape}"
                )
        check_bias(self.name, self.bias, shapes[0][2])
        return shapes[0]

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0
