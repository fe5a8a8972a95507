"""Blocks with weights: convolution and dense layer."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from rowloom.model.nn.geometry import Padding, Pair, pair, sides
from rowloom.model.nn.pooling import MaxPool2d, pad
from rowloom.model.nn.summing import Summing
from rowloom.model.operation import Operation
from rowloom.model.quant.quantizer import Quantizer


class Weighted(Summing, ABC):
    """A block: weighted sum, max pool, batch norm, activation; all but the first are optional.

    In training the pool comes before the norm, which then balances what the next layer sees. In evaluation it comes
    last, over values: the same function, because the norm before a pool only rises.

    Parameters
    ----------
    weight : Quantizer
        Of the latent weights.
    activation : Quantizer or None
        Of the normalized sums; None gives the raw sums.
    norm : bool
        Whether sums are normalized; by default where there is an activation.
    pool : MaxPool2d or None
        Pooling of the sums.
    """

    operation = Operation.MULTIPLY
    """What is summed."""

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        weight: Quantizer,
        activation: Quantizer | None,
        norm: bool | None,
        pool: MaxPool2d | None,
    ) -> None:
        super().__init__()
        # Channels last is what torch's convolutions are fastest with on a CPU.
        layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
        self.latent = nn.Parameter(torch.empty(shape, memory_format=layout).uniform_(-0.5, 0.5))
        self.weight = weight
        self.pool = pool
        with_norm = activation is not None if norm is None else norm
        self.set_post(activation, channels=shape[0] if with_norm else None, rising=pool is not None)

    @abstractmethod
    def sums(self, x: Tensor) -> Tensor:
        """Return the weighted sums of values, channels on axis 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of the activation, or the sums."""
        sums = self.sums(x)
        if self.pool is None:
            return self.post(sums)
        pooled: Tensor = self.post(self.pool(sums)) if self.training else self.pool(self.post(sums))
        return pooled

    def constrain(self) -> None:
        """Bring the latent weights back into their range; call it after every step."""
        self.weight.constrain(self.latent)


class Conv2d(Weighted):
    """A convolution block; padded taps contribute zero.

    Parameters
    ----------
    in_channels, out_channels : int
        C and M.
    kernel : int or pair
        R, S.
    stride, dilation : int or pair
        Down and across.
    padding : int, pair or four
        Top, bottom, left, right.
    groups : int
        Divides C and M; depthwise is groups = C.
    """

    pad_value: int | None = None
    """Value of a padded tap; None if it contributes zero."""

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
    ) -> None:
        super().__init__(
            (out_channels, in_channels // groups, *pair("kernel", kernel)),
            weight=weight,
            activation=activation,
            norm=norm,
            pool=pool,
        )
        self.stride = pair("stride", stride)
        self.padding = sides(padding)
        self.dilation = pair("dilation", dilation)
        self.groups = groups

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M, E, F]."""
        top, bottom, left, right = self.padding
        padding = (top, left)
        if (top, left) != (bottom, right):
            x, padding = pad(x, self.padding, 0.0), (0, 0)
        return functional.conv2d(x, self.weight(self.latent), None, self.stride, padding, self.dilation, self.groups)


class Linear(Weighted):
    """A dense block over a whole map.

    Parameters
    ----------
    in_features, out_features : int
        C * H * W of the map, and M.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        weight: Quantizer,
        activation: Quantizer | None = None,
        norm: bool | None = None,
    ) -> None:
        super().__init__((out_features, in_features), weight=weight, activation=activation, norm=norm, pool=None)

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M]."""
        return functional.linear(x.flatten(1), self.weight(self.latent))
