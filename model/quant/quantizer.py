"""What every quantizer offers to layers and to lowering."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from rowloom.model.encodings import Encoding


class Quantizer(nn.Module, ABC):
    """Maps reals to values of ``encoding``.

    ``forward`` returns a float tensor that holds integers exactly, and defines the gradient that training
    uses. Layers and lowering ask ``encoding`` and never which class a quantizer is.
    An activation quantizer must be elementwise and monotone; it is given float32 in training and float64 in evaluation.
    """

    @property
    @abstractmethod
    def encoding(self) -> Encoding:
        """What the values are stored as."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Return the values, of the type and shape of ``x``."""

    @torch.no_grad()
    def constrain(self, latent: Tensor) -> None:
        """Bring the trained reals back into their range, in place; called after every step."""
