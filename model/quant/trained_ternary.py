"""Ternary weights with a trained scale for each sign (TTQ)."""

from typing import Any

import torch
from torch import Tensor, nn

from rowloom.model.encodings import Codebook, Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.quant.quantizer import Quantizer

THRESHOLD = 0.05
"""Share of a layer's greatest magnitude up to which a latent weight becomes zero."""


class TrainedTernaryWeight(Quantizer):
    """+p, 0 or -n: two trained scales, of which the integers p and n keep the ratio.

    Norm and thresholds absorb any scale that both signs have in common, so only the ratio of the two matters. It is
    kept in integers all the time: the greater scale is 2^bits - 1 and the other the nearest integer in proportion, at
    least 1. Training sees that ratio and adjusts everything else to it, so nothing is rounded afterwards. Every bit
    halves the error of the ratio, and makes products and sums a bit wider.

    Gradients are the paper's: that of a scale is the sum over its weights; that of a latent weight is multiplied by
    its scale, or by 1 where it is zero. Latent weights are kept in -1 to 1.

    Parameters
    ----------
    bits : int
        Width of p and n, 1 to 16: the ratio is kept in 2^bits - 1 parts, sevenths by default.

    References
    ----------
    Zhu, Han, Mao, Dally: Trained Ternary Quantization, ICLR 2017, sections 3 and 4, equations 6 to 9.
    """

    LEAST = 1e-2
    """No scale falls below this."""

    def __init__(self, bits: int = 3) -> None:
        super().__init__()
        if type(bits) is not int or not 1 <= bits <= 16:
            raise RowloomError("TrainedTernaryWeight", f"bits must be 1 to 16, not {bits!r}")
        self.bits = bits
        self.positive = nn.Parameter(torch.ones(()))
        self.negative = nn.Parameter(torch.ones(()))

    @property
    def ratio(self) -> tuple[int, int]:
        """p and n."""
        positive, negative = self.positive.item(), self.negative.item()
        unit = max(positive, negative) / ((1 << self.bits) - 1)
        return max(1, round(positive / unit)), max(1, round(negative / unit))

    @property
    def encoding(self) -> Encoding:
        """Codebook of -n, 0 and +p."""
        positive, negative = self.ratio
        return Codebook((-negative, 0, positive))

    def forward(self, x: Tensor) -> Tensor:
        """Return -n, 0 or +p."""
        values: Tensor = _TwoScales.apply(x, self.positive, self.negative, self.ratio)
        return values

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Clip to -1 to 1, and keep the scales positive."""
        latent.clamp_(-1, 1)
        self.positive.clamp_(min=self.LEAST)
        self.negative.clamp_(min=self.LEAST)


class _TwoScales(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, positive: Tensor, negative: Tensor, ratio: tuple[int, int]) -> Tensor:
        limit = THRESHOLD * x.abs().max()
        above, below = (x > limit).to(x.dtype), (x < -limit).to(x.dtype)
        ctx.save_for_backward(above, below, positive, negative)
        return ratio[0] * above - ratio[1] * below

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        above, below, positive, negative = ctx.saved_tensors
        gradient = gradients[0]
        scale = 1 + (positive - 1) * above + (negative - 1) * below
        return gradient * scale, (gradient * above).sum(), -(gradient * below).sum(), None
