"""Windows of one channel at a time."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from rowloom.model import layers as ir
from rowloom.model.errors import RowloomError
from rowloom.model.nn.geometry import Padding, Pair, pair, sides
from rowloom.model.nn.summing import Summing
from rowloom.model.quant.quantizer import Quantizer


class MaxPool2d(nn.Module):
    """The greatest value of each window; ``padding`` is ignored.

    Parameters
    ----------
    kernel : int or pair
        R, S: the window.
    stride : int, pair or None
        Step; the window by default.
    padding : int, pair or four
        Top, bottom, left, right; less than the window.
    """

    def __init__(self, kernel: Pair, *, stride: Pair | None = None, padding: Padding = 0) -> None:
        super().__init__()
        self.kernel = pair("kernel", kernel)
        self.stride = self.kernel if stride is None else pair("stride", stride)
        self.padding = sides(padding)

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, E, F]."""
        return functional.max_pool2d(pad(x, self.padding, float("-inf")), self.kernel, self.stride)


class Average(Summing, ABC):
    """Averages of windows, then norm and activation, both optional.

    What is summed are integers: the values of a window, times what makes windows of fewer taps comparable. Only then
    are they divided, by one number for the whole map. Without an activation the undivided sums come out.
    """

    @abstractmethod
    def layer(self, shape: ir.Shape) -> ir.AveragePool2d:
        """Return the geometry for maps (H, W, C) of ``shape``; names are placeholders."""

    def sums(self, x: Tensor) -> Tensor:
        """Return integers [N, C, E, F]: averages times :meth:`scale`."""
        layer = self.layer(_shape_of(x))
        padded = pad(x, layer.padding, 0.0)
        totals = functional.avg_pool2d(padded, layer.kernel, layer.stride, divisor_override=1)
        rows, columns = layer.factors(_shape_of(x))
        if max(rows) == max(columns) == 1:
            return totals
        return totals * torch.outer(totals.new_tensor(rows), totals.new_tensor(columns))

    def scale(self, shape: ir.Shape) -> int:
        """Return what the sums of a map (H, W, C) are divided by."""
        return self.layer(shape).scale(shape)

    def average(self, sums: Tensor, scale: int) -> Tensor:
        """Return what division, norm and activation make of sums, elementwise."""
        return sums if self.activation is None else self.post(sums, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of the activation, or the sums: [N, C, E, F]."""
        return self.average(self.sums(x), self.scale(_shape_of(x)))


class AveragePool2d(Average):
    """The average of each window.

    Parameters
    ----------
    kernel : int or pair
        R, S: the window.
    activation : Quantizer or None
        Of the averages.
    channels : int or None
        C, if averages are normalized before the activation.
    stride : int, pair or None
        Step; the window by default.
    padding : int, pair or four
        Top, bottom, left, right; less than the window.
    count_include_pad : bool
        A padded tap counts as 0; by default it is left out of sum and count, unlike torch's.
    """

    def __init__(
        self,
        kernel: Pair,
        *,
        activation: Quantizer | None = None,
        channels: int | None = None,
        stride: Pair | None = None,
        padding: Padding = 0,
        count_include_pad: bool = False,
    ) -> None:
        super().__init__()
        self.kernel = pair("kernel", kernel)
        self.stride = self.kernel if stride is None else pair("stride", stride)
        self.padding = sides(padding)
        self.count_include_pad = count_include_pad
        self.set_post(activation, channels=channels)

    def layer(self, shape: ir.Shape) -> ir.AveragePool2d:
        """Return the geometry, whatever the shape."""
        return ir.AveragePool2d(
            name="average pool",
            input="x",
            output="y",
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            count_include_pad=self.count_include_pad,
        )


class GlobalAveragePool2d(Average):
    """The average of each channel's whole map.

    Parameters
    ----------
    activation : Quantizer or None
        Of the averages.
    channels : int or None
        C, if averages are normalized before the activation.
    """

    def __init__(self, *, activation: Quantizer | None = None, channels: int | None = None) -> None:
        super().__init__()
        self.set_post(activation, channels=channels)

    def layer(self, shape: ir.Shape) -> ir.AveragePool2d:
        """Return the geometry: a window that covers the map."""
        return ir.AveragePool2d(name="average pool", input="x", output="y", kernel=shape[:2])


def pad(x: Tensor, padding: tuple[int, int, int, int], value: float) -> Tensor:
    """Return maps [N, C, H, W] with rows and columns of ``value`` around them: top, bottom, left, right."""
    top, bottom, left, right = padding
    return functional.pad(x, (left, right, top, bottom), value=value) if any(padding) else x


def _shape_of(x: Tensor) -> ir.Shape:
    if x.dim() != 4:
        raise RowloomError("average pool", f"takes maps [N, C, H, W], not {tuple(x.shape)}")
    return x.shape[2], x.shape[3], x.shape[1]
