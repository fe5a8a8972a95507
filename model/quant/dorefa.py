"""DoReFa weights and activations of k bits."""

import torch
from torch import Tensor

from rowloom.model.encodings import DoReFa, Encoding, Uniform
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.straight_through import straight_through


class DoReFaWeight(Quantizer):
    """Odd integers 2 * code - (2^k - 1): tanh of the latent weight, normalized to 0 to 1, rounded to 2^k levels.

    Parameters
    ----------
    k : int
        Width of a code, 1 to 8.

    References
    ----------
    Zhou, Wu, Ni, Zhou, Wen, Zou: DoReFa-Net, 2016, section 2.3, equations 9 and 10, times 2^k - 1.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self._encoding = DoReFa(k)

    @property
    def encoding(self) -> Encoding:
        """DoReFa."""
        return self._encoding

    def forward(self, x: Tensor) -> Tensor:
        """Return odd integers."""
        squashed = torch.tanh(x)
        levels = self._encoding.code_max
        # A layer of zeros has no greatest weight; its weights are in the middle.
        greatest = squashed.abs().max().clamp(min=torch.finfo(x.dtype).tiny)
        place = levels * (squashed / (2 * greatest) + 0.5)
        return 2 * straight_through(place, torch.round(place)) - levels


class DoReFaActivation(Quantizer):
    """0 to 2^k - 1: the activation, clipped to 0 to 1, times 2^k - 1, rounded, ties to even.

    Parameters
    ----------
    k : int
        Width of a code.

    References
    ----------
    Zhou et al.: DoReFa-Net, 2016, section 2.4, equation 11, times 2^k - 1.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self._encoding = Uniform(bits=k, signed=False)

    @property
    def encoding(self) -> Encoding:
        """Uniform, unsigned."""
        return self._encoding

    def forward(self, x: Tensor) -> Tensor:
        """Return integers of at least 0."""
        scaled = x.clamp(0, 1) * self._encoding.code_max
        return straight_through(scaled, torch.round(scaled))
