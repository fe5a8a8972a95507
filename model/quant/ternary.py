"""Ternary weights with one scale (TWN), and ternary activations."""

import torch
from torch import Tensor

from rowloom.model.encodings import Encoding, Ternary
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.straight_through import straight_through

THRESHOLD = 0.7
"""Share of a layer's mean magnitude up to which a latent weight becomes zero."""


class TernaryWeight(Quantizer):
    """The sign of a latent weight, or 0 where its magnitude is at most 0.7 of the layer's mean.

    The paper's scale, one positive number a layer, is left to norm and thresholds. Latent weights are kept in
    -1 to 1; the gradient passes straight through.

    References
    ----------
    Li, Zhang, Liu: Ternary Weight Networks, 2016, section 2.2, equation 6.
    """

    @property
    def encoding(self) -> Encoding:
        """Ternary."""
        return Ternary()

    def forward(self, x: Tensor) -> Tensor:
        """Return -1, 0 or +1."""
        latent = x.detach()
        limit = THRESHOLD * latent.abs().mean()
        return straight_through(x, (latent > limit).to(x.dtype) - (latent < -limit).to(x.dtype))

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Clip to -1 to 1."""
        latent.clamp_(-1, 1)


class TernaryActivation(Quantizer):
    """+1 above 1/2, -1 below -1/2, else 0; the gradient passes where the activation's magnitude is less than 1.

    References
    ----------
    Deng, Jiao, Pei, Wu, Li: GXNOR-Net, Neural Networks 100, 2018, section 2.2, with a zero window of 1/2; the
    gradient is that of :class:`rowloom.model.quant.binary.BinaryActivation`.
    """

    @property
    def encoding(self) -> Encoding:
        """Ternary."""
        return Ternary()

    def forward(self, x: Tensor) -> Tensor:
        """Return -1, 0 or +1."""
        clipped = x.clamp(-1, 1)
        return straight_through(clipped, torch.round(clipped))
