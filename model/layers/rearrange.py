"""Layers that move codes and compute nothing."""

from dataclasses import dataclass
from typing import Literal

from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import NaryLayer, Shape, UnaryLayer, check_integers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concat(NaryLayer):
    """The channels of all inputs after each other; all have the output's encoding."""

    op = "concat"

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (H, W, the sum of all C)."""
        for name, shape in zip(self.inputs, shapes, strict=True):
            if shape[:2] != shapes[0][:2]:
                raise RowloomError(
                    self.name,
                    f"joins maps of equal height and width, but {self.inputs[0]} is {shapes[0]} and {name} is {shape}",
                )
        return *shapes[0][:2], sum(shape[2] for shape in shapes)

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChannelShuffle(UnaryLayer):
    """Channel g * (C / groups) + i becomes channel i * groups + g.

    Parameters
    ----------
    groups : int
        Divides C.

    References
    ----------
    Zhang, Zhou, Lin, Sun: ShuffleNet, CVPR 2018, section 3.1.
    """

    op = "channel_shuffle"

    groups: int

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        check_integers(self.name, "groups", (self.groups,), 1, 1)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of the input."""
        (shape,) = shapes
        if shape[2] % self.groups:
            raise RowloomError(
                self.name, f"shuffles {self.groups} groups, but {self.input} has {shape[2]} channels, not a multiple"
            )
        return shape

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Upsample(UnaryLayer):
    """Every pixel becomes a square of equal ones (nearest neighbour).

    Parameters
    ----------
    factor : int
        Side of the square.
    """

    op = "upsample"

    factor: int = 2

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        check_integers(self.name, "factor", (self.factor,), 1, 1)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (H * factor, W * factor, C)."""
        ((height, width, channels),) = shapes
        return height * self.factor, width * self.factor, channels

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthToSpace(UnaryLayer):
    """The channels of a pixel become a square of pixels.

    With D = C / block^2, output pixel (h * block + i, w * block + j), channel d comes from input pixel (h, w), channel
    (i * block + j) * D + d for ``DCR`` and d * block^2 + i * block + j for ``CRD``.

    Parameters
    ----------
    block : int
        Side of the square; its square divides C.
    mode : "DCR" or "CRD"
        Which channels form a square; ``CRD`` is torch's PixelShuffle.

    References
    ----------
    ONNX operator DepthToSpace, version 13.
    """

    op = "depth_to_space"

    block: int
    mode: Literal["DCR", "CRD"] = "DCR"

    def __post_init__(self) -> None:
        UnaryLayer.__post_init__(self)
        check_integers(self.name, "block", (self.block,), 1, 1)
        if self.mode not in ("DCR", "CRD"):
            raise RowloomError(self.name, f"mode must be 'DCR' or 'CRD', not {self.mode!r}")

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (H * block, W * block, C / block^2)."""
        ((height, width, channels),) = shapes
        if channels % self.block**2:
            raise RowloomError(
                self.name,
                f"makes squares of {self.block**2} channels, but {self.input} has {channels}, not a multiple",
            )
        return height * self.block, width * self.block, channels // self.block**2

    def macs(self, *shapes: Shape) -> int:
        """Return 0."""
        return 0
