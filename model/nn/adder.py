"""Blocks that sum distances in place of products."""

import torch
from torch import Tensor
from torch.nn import functional

from rowloom.model.nn.geometry import Padding, Pair
from rowloom.model.nn.pooling import MaxPool2d, pad
from rowloom.model.nn.weighted import Conv2d, Linear
from rowloom.model.operation import Operation
from rowloom.model.quant.distance import distance_sums
from rowloom.model.quant.quantizer import Quantizer


class AdderConv2d(Conv2d):
    """A convolution block that sums -abs(x - w) in place of products.

    Parameters
    ----------
    pad_value : int or None
        Value of a padded tap, 0 in AdderNet; None if it contributes zero.

    References
    ----------
    Chen et al.: AdderNet, CVPR 2020; see :func:`rowloom.model.quant.distance.distance_sums`.
    """

    operation = Operation.ADDER

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Pair,
        *,
        weight: Quantizer,
        activation: Quantizer | None = None,
        norm: bool | None = None,
        pool: MaxPool2d | None = None,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: int = 1,
        pad_value: int | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel,
            weight=weight,
            activation=activation,
            norm=norm,
            pool=pool,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        self.pad_value = pad_value

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M, E, F]."""
        kernel = self.latent.shape[2:]
        padded = pad(x, self.padding, float(self.pad_value or 0))
        windows = functional.unfold(padded, kernel, self.dilation, 0, self.stride)
        live = None
        if any(self.padding) and self.pad_value is None:
            inside = pad(torch.ones_like(x[:1, : self.latent.shape[1]]), self.padding, 0.0)
            live = functional.unfold(inside, kernel, self.dilation, 0, self.stride)[0] > 0
        taps = windows.chunk(self.groups, dim=1)
        filters = self.weight(self.latent).flatten(1).chunk(self.groups)
        sums = torch.cat([distance_sums(x, w, live) for x, w in zip(taps, filters, strict=True)], dim=1)
        height, width = (
            (padded.shape[2 + axis] - self.dilation[axis] * (kernel[axis] - 1) - 1) // self.stride[axis] + 1
            for axis in range(2)
        )
        return sums.unflatten(2, (height, width))


class AdderLinear(Linear):
    """A dense block that sums -abs(x - w) in place of products."""

    operation = Operation.ADDER

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M]."""
        return distance_sums(x.flatten(1)[:, :, None], self.weight(self.latent))[:, :, 0]
