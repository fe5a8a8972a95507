"""What every block that forms sums ends with."""

from torch import Tensor, nn

from rowloom.model.nn.norm import BatchNorm
from rowloom.model.quant.quantizer import Quantizer


class Summing(nn.Module):
    """A block that forms integer sums; norm and activation, both optional, turn them into values.

    Lowering finds the thresholds of :meth:`post` on every integer that a sum can be. In evaluation norm and activation
    compute in float64: float32 would put single thresholds a sum beside the line that they lie on, and the accelerator
    finds codes of several bits on a line.
    """

    activation: Quantizer | None
    """Of the normalized sums; None gives the raw sums."""
    norm: BatchNorm | None

    def set_post(self, activation: Quantizer | None, *, channels: int | None, rising: bool = False) -> None:
        """Set the activation, and a norm of ``channels`` channels unless that is None."""
        self.activation = activation
        self.norm = None if channels is None else BatchNorm(channels, rising=rising)

    def post(self, sums: Tensor, scale: int = 1) -> Tensor:
        """Return what norm and activation make of sums / scale, elementwise and of the type of ``sums``."""
        x = (sums if self.training else sums.double()) / scale
        if self.norm is not None:
            x = self.norm(x)
        if self.activation is not None:
            x = self.activation(x)
        return x.to(sums.dtype)
