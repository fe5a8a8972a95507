"""Straight-through estimators: a quantized forward pass with the gradient of something smoother."""

from typing import Any

import torch
from torch import Tensor


def straight_through(x: Tensor, values: Tensor) -> Tensor:
    """Return ``values``, exactly, with the gradient of ``x``.

    The usual ``x + (values - x).detach()`` would round: what comes out need not be an integer.

    References
    ----------
    Bengio, Leonard, Courville: Estimating or Propagating Gradients Through Stochastic Neurons, 2013, section 4.
    """
    result: Tensor = _StraightThrough.apply(x, values)
    return result


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor) -> Tensor:
        return values.detach().view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None
