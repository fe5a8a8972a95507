"""Sums of distances with the gradients of AdderNet."""

from typing import Any

import torch
from torch import Tensor


def distance_sums(x: Tensor, weights: Tensor, live: Tensor | None = None) -> Tensor:
    """Return minus the distance of each window from each filter, -sum over k of abs(x[n, k, p] - w[m, k]).

    Gradients are the paper's: that of a weight is x - w in full precision where the true one would be its sign, that
    of a value is w - x, clipped to -1 to 1. The paper's learning rate for each layer is left to the optimizer: Adam
    divides by the size of the gradients too.

    Parameters
    ----------
    x : float [N, K, P]
        Values of the K taps of P windows.
    weights : float [M, K]
        Values of the weights.
    live : bool [K, P], optional
        False for taps that contribute nothing; their ``x`` is 0.

    Returns
    -------
    float [N, M, P]
        Exact for integers as long as no sum reaches 2^24.

    References
    ----------
    Chen, Wang, Xu, Shi, Xu, Tian, Xu: AdderNet: Do We Really Need Multiplications in Deep Learning?, CVPR 2020,
    sections 3.1 and 3.2, equations 2, 5 and 7.
    """
    sums: Tensor = _DistanceSums.apply(x, weights, live)
    return sums


class _DistanceSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, live: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weights, live)
        sums = -torch.cdist(x.transpose(1, 2), weights[None], p=1).transpose(1, 2)
        return sums if live is None else sums + weights.abs() @ (~live).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weights, live = ctx.saved_tensors
        gradient = gradients[0]
        for_x = for_weights = None
        if ctx.needs_input_grad[0]:
            for_x = torch.zeros_like(x)
            for filter_, weight in enumerate(weights):  # a filter at a time: [N, M, K, P] is too large to be held
                for_x += gradient[:, filter_, None] * (weight[:, None] - x).clamp_(-1, 1)
            if live is not None:
                for_x *= live
        if ctx.needs_input_grad[1]:
            counted = gradient.sum(dim=(0, 2))[:, None] if live is None else gradient.sum(dim=0) @ live.to(x.dtype).T
            for_weights = torch.einsum("nmp,nkp->mk", gradient, x) - counted * weights
        return for_x, for_weights, None
