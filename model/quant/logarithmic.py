"""Weights and activations that are powers of two."""

import math

import torch
from torch import Tensor

from rowloom.model.encodings import Encoding, PowerOfTwo
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.straight_through import straight_through


class PowerOfTwoWeight(Quantizer):
    """0 or the nearest of +-1, +-2, +-4, ..., where a latent weight of +-1 is the greatest.

    Nearest in magnitude: 2^e from 0.75 * 2^e up to 1.5 * 2^e, the greatest without end, and 1 from 0.5 on. Latent
    weights are kept in -1 to 1, and the gradient passes straight through.

    Parameters
    ----------
    bits : int
        Width of a code, 2 to 5: 2^(bits - 1) - 1 magnitudes, zero, and the signs.

    References
    ----------
    Zhou, Yao, Guo, Xu, Chen: Incremental Network Quantization, ICLR 2017, section 2.1, equation 4, with a fixed
    greatest power in place of equation 2, and all weights at once.
    """

    def __init__(self, bits: int = 3) -> None:
        super().__init__()
        self._encoding = PowerOfTwo(bits=bits, e_min=0, e_max=(1 << (bits - 1)) - 2, signed=True)
        self._levels: Tensor
        self._bounds: Tensor
        powers = [2.0**e for e in range(self._encoding.magnitudes)]
        self.register_buffer("_levels", torch.tensor([0.0, *powers]), persistent=False)
        self.register_buffer("_bounds", torch.tensor([0.5, *(1.5 * power for power in powers[:-1])]), persistent=False)

    @property
    def encoding(self) -> Encoding:
        """PowerOfTwo, signed."""
        return self._encoding

    def forward(self, x: Tensor) -> Tensor:
        """Return 0 or a power of two of either sign."""
        latent = x.detach()
        magnitude = self._levels[_place(latent.abs() * (1 << self._encoding.e_max), self._bounds)]
        return straight_through(x, torch.copysign(magnitude, latent))

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Clip to -1 to 1."""
        latent.clamp_(-1, 1)


class PowerOfTwoActivation(Quantizer):
    """0 or the nearest of 1, 2, 4, ... in the logarithm, where an activation of ``full_scale`` is the greatest.

    2^e from 2^(e - 1/2) up to 2^(e + 1/2), the greatest without end, zero below 2^(-1/2). It is found by comparing
    with these bounds, not by taking a logarithm, so it is monotone to the last bit. The gradient is that of a clip to
    0 to ``full_scale``.

    Parameters
    ----------
    bits : int
        Width of a code, 1 to 5: 2^bits - 1 magnitudes, and zero.
    full_scale : float
        The normalized activation that becomes the greatest power.

    References
    ----------
    Miyashita, Lee, Murmann: Convolutional Neural Networks using Logarithmic Data Representation, 2016, section 3.3,
    except that what is too small becomes zero, not the least power.
    """

    def __init__(self, bits: int = 3, full_scale: float = 4.0) -> None:
        super().__init__()
        self._encoding = PowerOfTwo(bits=bits, e_min=0, e_max=(1 << bits) - 2, signed=False)
        self._per_real = (1 << self._encoding.e_max) / full_scale
        self._levels: Tensor
        self._bounds: Tensor
        powers = [2.0**e for e in range(self._encoding.magnitudes)]
        self.register_buffer("_levels", torch.tensor([0.0, *powers]), persistent=False)
        self.register_buffer("_bounds", torch.tensor([power / math.sqrt(2) for power in powers]), persistent=False)

    @property
    def encoding(self) -> Encoding:
        """PowerOfTwo, unsigned."""
        return self._encoding

    def forward(self, x: Tensor) -> Tensor:
        """Return 0 or a power of two."""
        scaled = x * self._per_real
        values = self._levels[_place(scaled.detach(), self._bounds)]
        return straight_through(scaled.clamp(0, float(self._encoding.max)), values)


def _place(x: Tensor, bounds: Tensor) -> Tensor:
    """Return how many of the ascending bounds each number reaches."""
    return torch.bucketize(x.contiguous(), bounds.to(x.dtype), right=True)
