"""The place of the greatest."""

from dataclasses import dataclass

from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import Shape, UnaryLayer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArgMax(UnaryLayer):
    """The index of the greatest channel of a 1 x 1 map; the lowest one of equals."""

    op = "argmax"

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (1, 1, 1)."""
        (shape,) = shapes
        if shape[:2] != (1, 1):
            raise RowloomError(self.name, f"takes a 1 x 1 map, but {self.input} is {shape}")
        return 1, 1, 1

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0
