"""Layers to train with: torch modules that :func:`rowloom.model.lowering.lower` understands.

What flows between them are values: integers, held exactly by floats. A weighted layer is a block: sum, max pool,
batch norm, activation, so that nothing real-valued leaves it. Layout is torch's, N C H W.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from rowloom.model.encodings import Encoding
from rowloom.model.operation import Operation
from rowloom.model.quant.distance import distance_sums
from rowloom.model.quant.quantizer import Quantizer


class Input(nn.Module):
    """Turns real images into values of an encoding: round-half-even(x / scale), clipped to its range.

    Parameters
    ----------
    encoding : Encoding
        What the network takes.
    scale : float
        Real number that a value of 1 stands for.
    """

    def __init__(self, encoding: Encoding, scale: float) -> None:
        super().__init__()
        self.encoding = encoding
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 values; float64 in between, as the golden model computes it."""
        values = torch.round(x.double() / self.scale)
        return values.clamp(self.encoding.min, self.encoding.max).float()


class MaxPool2d(nn.Module):
    """The greatest value of each window; ``padding`` on all sides is ignored.

    Parameters
    ----------
    kernel : int
        Side of the window.
    stride : int or None
        Step; the window by default.
    padding : int
        At most half the window.
    """

    def __init__(self, kernel: int, *, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride or kernel
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, C, E, F]."""
        return functional.max_pool2d(x, self.kernel, self.stride, self.padding)


class BatchNorm(nn.Module):
    """Batch norm over channels whose evaluation is a fixed sequence of rounded float32 operations.

    Evaluated as (x - mean) * gain + beta with gain = gamma / sqrt(variance + eps), each operation rounded by
    itself. So it is elementwise, monotone, and the same for every shape and memory layout, which lets lowering
    find exact thresholds.

    Parameters
    ----------
    channels : int
        M.
    rising : bool
        Use the magnitude of gamma, so that norm and max pool may change places.
    momentum : float
        Weight of the newest batch in the running statistics.

    References
    ----------
    Ioffe, Szegedy: Batch Normalization, ICML 2015, algorithms 1 and 2.
    """

    EPS = 1e-5

    def __init__(self, channels: int, *, rising: bool = False, momentum: float = 0.1) -> None:
        super().__init__()
        self.rising = rising
        self.momentum = momentum
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized tensor, of the shape of ``x``."""
        gamma = self.gamma.abs() if self.rising else self.gamma
        if self.training:
            return functional.batch_norm(x, self.mean, self.variance, gamma, self.beta, True, self.momentum, self.EPS)
        gain = gamma / torch.sqrt(self.variance + self.EPS)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return (x - self.mean.view(shape)) * gain.view(shape) + self.beta.view(shape)


class Weighted(nn.Module, ABC):
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
        self.activation = activation
        self.pool = pool
        with_norm = activation is not None if norm is None else norm
        self.norm = BatchNorm(shape[0], rising=pool is not None) if with_norm else None

    @abstractmethod
    def sums(self, x: Tensor) -> Tensor:
        """Return the weighted sums of values, channels on axis 1."""

    def post(self, sums: Tensor) -> Tensor:
        """Return what norm and activation make of sums, elementwise."""
        x = sums if self.norm is None else self.norm(sums)
        return x if self.activation is None else self.activation(x)

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
    kernel : int
        R = S.
    stride, padding, dilation, groups : int
        As for torch.nn.Conv2d.
    """

    pad_value: int | None = None
    """Value of a padded tap; None if it contributes zero."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        weight: Quantizer,
        activation: Quantizer | None = None,
        norm: bool | None = None,
        pool: MaxPool2d | None = None,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            (out_channels, in_channels // groups, kernel, kernel),
            weight=weight,
            activation=activation,
            norm=norm,
            pool=pool,
        )
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M, E, F]."""
        return functional.conv2d(
            x, self.weight(self.latent), None, self.stride, self.padding, self.dilation, self.groups
        )


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
        kernel: int,
        *,
        weight: Quantizer,
        activation: Quantizer | None = None,
        norm: bool | None = None,
        pool: MaxPool2d | None = None,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
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
        around = (self.padding,) * 4
        padded = functional.pad(x, around, value=self.pad_value or 0)
        windows = functional.unfold(padded, kernel, self.dilation, 0, self.stride)
        live = None
        if self.padding and self.pad_value is None:
            inside = functional.pad(torch.ones_like(x[:1, : self.latent.shape[1]]), around)
            live = functional.unfold(inside, kernel, self.dilation, 0, self.stride)[0] > 0
        taps = windows.chunk(self.groups, dim=1)
        filters = self.weight(self.latent).flatten(1).chunk(self.groups)
        sums = torch.cat([distance_sums(x, w, live) for x, w in zip(taps, filters, strict=True)], dim=1)
        height, width = (
            (padded.shape[2 + axis] - self.dilation * (kernel[axis] - 1) - 1) // self.stride + 1 for axis in range(2)
        )
        return sums.unflatten(2, (height, width))


class AdderLinear(Linear):
    """A dense block that sums -abs(x - w) in place of products."""

    operation = Operation.ADDER

    def sums(self, x: Tensor) -> Tensor:
        """Return [N, M]."""
        return distance_sums(x.flatten(1)[:, :, None], self.weight(self.latent))[:, :, 0]
