"""From sums to codes: bias and post-operation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.arith import count_thresholds, requantize
from rowloom.model.encodings import Encoding
from rowloom.model.layers import SummingLayer
from rowloom.model.post import Requantize, Thresholds


@dataclass(frozen=True, slots=True)
class Finish:
    """Bias and post-operation of a layer, prepared.

    Sums come in multiplied by the direction of their channel's thresholds: whoever forms them can often do that for
    nothing, else :meth:`turn` does.
    """

    layer: SummingLayer
    target: Encoding
    direction: NDArray[np.int8] | None
    """[M]: by what sums are multiplied; None if by 1."""
    bias: NDArray[Any] | None
    """[M], multiplied alike."""
    thresholds: NDArray[Any] | None
    """[M, N] in the sums' type; those out of reach are brought to where every type of sum holds them."""

    @classmethod
    def of(cls, layer: SummingLayer, target: Encoding, dtype: DTypeLike, bound: int) -> "Finish":
        """Return what turns sums of type ``dtype``, of at most ``bound`` in magnitude, into codes of ``target``."""
        direction = thresholds = None
        bias = layer.bias
        if isinstance(layer.post, Thresholds):
            if np.any(layer.post.direction < 0):
                direction = layer.post.direction
                bias = None if bias is None else bias * direction
            # Beyond the bound a threshold is never (always) reached, and may not be exact in dtype.
            thresholds = np.clip(layer.post.values, -bound, bound + 1).astype(dtype)
        return cls(
            layer=layer,
            target=target,
            direction=direction,
            bias=None if bias is None else bias.astype(dtype),
            thresholds=thresholds,
        )

    def turn(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return sums [..., M] multiplied by the direction, in place."""
        if self.direction is not None:
            sums *= self.direction.astype(sums.dtype)
        return sums

    def codes(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return output codes [N, E, F, M] of turned sums [N, E, F, M] without bias, which are overwritten."""
        if self.bias is not None:
            sums += self.bias.astype(sums.dtype, copy=False)
        post = self.layer.post
        if self.thresholds is not None:
            counts = count_thresholds(sums, self.thresholds.astype(sums.dtype, copy=False))
            if self.target.code_min:
                counts = counts.astype(np.int64) + self.target.code_min
            return counts.astype(self.target.dtype, copy=False)
        integers = sums.astype(np.int64)
        if isinstance(post, Requantize):
            integers = requantize(
                integers,
                multiplier=post.multiplier,
                shift=post.shift,
                zero_point=post.output_zero_point,
                code_min=self.target.code_min,
                code_max=self.target.code_max,
            )
            return integers.astype(self.target.dtype)
        return self.target.encode(integers)
