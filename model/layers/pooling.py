"""Pooling: windows of one channel at a time."""

from dataclasses import dataclass, field

from rowloom.model.errors import RowloomError
from rowloom.model.layers.base import Layer, Shape, check_integers, slide


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool2d(Layer):
    """The greatest value of each window; padded taps are ignored.

    Parameters
    ----------
    kernel : (int, int)
        R, S: the window.
    stride : (int, int)
        Down and across; the window by default.
    padding : (int, int, int, int)
        Top, bottom, left, right; less than the window.
    """

    op = "max_pool2d"

    kernel: tuple[int, int]
    stride: tuple[int, int] = field(default=(0, 0))
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        check_integers(self.name, "kernel", self.kernel, 2, 1)
        if self.stride == (0, 0):
            object.__setattr__(self, "stride", self.kernel)
        check_integers(self.name, "stride", self.stride, 2, 1)
        check_integers(self.name, "padding", self.padding, 4, 0)
        if max(self.padding[:2]) >= self.kernel[0] or max(self.padding[2:]) >= self.kernel[1]:
            raise RowloomError(self.name, f"padding {self.padding} must be less than the window {self.kernel}")

    def output_shape(self, shape: Shape) -> Shape:
        """Return (E, F, C); a window that does not fit at the bottom or the right is dropped."""
        height, width = slide(self.name, shape, self.kernel, self.stride, self.padding, (1, 1))
        return height, width, shape[2]

    def macs(self, shape: Shape) -> int:
        """Return 0."""
        return 0
