"""Five-level weights."""

import torch
from torch import Tensor

from rowloom.model.encodings import Encoding, Quinary
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.straight_through import straight_through

STEP = 0.9
"""Distance of two levels, in mean magnitudes of a layer's latent weights.

Least squares wants 0.8 where they are uniformly distributed and 1.06 where they are normal; ternary weights strike
the same balance with 0.7, between 2/3 and 0.77.
"""


class QuinaryWeight(Quantizer):
    """The nearest of -2, -1, 0, +1, +2 steps, the step being 0.9 of the layer's mean magnitude.

    The five-level extension of :class:`rowloom.model.quant.ternary.TernaryWeight`: its scale is left to norm and
    thresholds, latent weights are kept in -1 to 1, and the gradient passes straight through.

    References
    ----------
    Li, Zhang, Liu: Ternary Weight Networks, 2016, section 2.2, with five levels; the step after Max, "Quantizing
    for Minimum Distortion", IRE Transactions on Information Theory, 1960, table II.
    """

    @property
    def encoding(self) -> Encoding:
        """Quinary."""
        return Quinary()

    def forward(self, x: Tensor) -> Tensor:
        """Return -2 to +2."""
        latent = x.detach()
        # A layer of zeros has no step; its weights are zero.
        step = (STEP * latent.abs().mean()).clamp(min=torch.finfo(x.dtype).tiny)
        return straight_through(x, torch.round(latent / step).clamp(-2, 2))

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Clip to -1 to 1."""
        latent.clamp_(-1, 1)
