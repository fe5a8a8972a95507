"""Batch norm that evaluates the same everywhere."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.Module):
    """Batch norm over channels whose evaluation is a fixed sequence of rounded operations, of the type of its input.

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
