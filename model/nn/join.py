"""Where branches meet."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rowloom.model.errors import RowloomError
from rowloom.model.nn.summing import Summing
from rowloom.model.quant.quantizer import Quantizer


class Add(Summing):
    """The elementwise sum of maps, each times an integer; then norm and activation, both optional.

    Integer multipliers bring branches of different steps to a common one exactly: where a value of the first branch
    stands for s1 and one of the second for s2, they are integers in the proportion s1 : s2. With one multiplier it
    quantizes a map again.

    Parameters
    ----------
    multipliers : sequence of int
        One for each map.
    activation : Quantizer or None
        Of the sums; None gives the raw sums.
    channels : int or None
        C, if sums are normalized before the activation.
    """

    def __init__(
        self, multipliers: Sequence[int] = (1, 1), *, activation: Quantizer | None = None, channels: int | None = None
    ) -> None:
        super().__init__()
        if not multipliers or any(type(each) is not int for each in multipliers):
            raise RowloomError("Add", f"multipliers must be at least one integer, not {multipliers!r}")
        self.multipliers = tuple(multipliers)
        self.set_post(activation, channels=channels)

    def sums(self, *maps: Tensor) -> Tensor:
        """Return the sum of maps of equal shape, each times its multiplier."""
        if len(maps) != len(self.multipliers):
            raise RowloomError("Add", f"has {len(self.multipliers)} multipliers, but {len(maps)} maps")
        first, *others = (x * multiplier for x, multiplier in zip(maps, self.multipliers, strict=True))
        return sum(others, start=first)

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the values of the activation, or the sums."""
        return self.post(self.sums(*maps))


class Concat(nn.Module):
    """The channels of all maps after each other; lowering wants them in one encoding."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Return [N, sum of C, H, W]."""
        return torch.cat(maps, dim=1)
