"""Binary weights and activations: sign with a straight-through estimator."""

from typing import Any

import torch
from torch import Tensor

from rowloom.model.encodings import Binary, Encoding
from rowloom.model.quant.quantizer import Quantizer


class BinaryWeight(Quantizer):
    """+1 where the latent weight is at least 0, else -1; the gradient passes straight through.

    Latent weights are kept in -1 to 1, so that one that is pushed the other way can flip again.

    References
    ----------
    Courbariaux, Bengio, David: BinaryConnect, NeurIPS 2015, sections 2.3 and 2.4.
    """

    @property
    def encoding(self) -> Encoding:
        """Binary."""
        return Binary()

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1."""
        values: Tensor = _PassThroughSign.apply(x)
        return values

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Clip to -1 to 1."""
        latent.clamp_(-1, 1)


class BinaryActivation(Quantizer):
    """+1 where the activation is at least 0, else -1; the gradient passes where its magnitude is less than 1.

    References
    ----------
    Hubara, Courbariaux, Soudry, El-Yaniv, Bengio: Binarized Neural Networks, NeurIPS 2016, section 1.3.
    """

    @property
    def encoding(self) -> Encoding:
        """Binary."""
        return Binary()

    def forward(self, x: Tensor) -> Tensor:
        """Return -1 or +1."""
        values: Tensor = _HardTanhSign.apply(x)
        return values


class _PassThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _HardTanhSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        # The gradient of clip(x, -1, 1).
        gradient: Tensor = torch.ops.aten.hardtanh_backward(gradients[0], x, -1.0, 1.0)
        return gradient


def _sign(x: Tensor) -> Tensor:
    """Return +1.0 where x >= 0, else -1.0; this way is several times as fast as torch.where on a CPU."""
    return torch.ge(x, 0, out=torch.empty_like(x)).mul_(2).sub_(1)
