"""From real images to values."""

import torch
from torch import Tensor, nn

from rowloom.model.encodings import Encoding


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
