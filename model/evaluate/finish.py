"""From sums to codes: bias and post-operation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.arith import COMPARED, count_thresholds, requantize
from rowloom.model.encodings import Encoding
from rowloom.model.evaluate.code_table import CodeTable
from rowloom.model.layers import SummingLayer
from rowloom.model.post import Requantize, Thresholds

#: A table of codes pays if each of its entries stands for so many sums.
PAYS = 2


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
    bound: int
    """Greatest magnitude of a sum without bias."""
    table: CodeTable | None = None
    """Codes of all sums, if there are so many sums that it pays to know them beforehand."""

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
            bound=bound,
        )

    def tabulated(self, channels: int, sums: int) -> "Finish":
        """Return the same for ``channels`` channels and so many sums: with a table of codes where that pays."""
        post, most = self.layer.post, sums // PAYS
        if most < channels << self.target.bits:  # a channel hardly has fewer entries than codes
            return self
        if post is None or (isinstance(post, Thresholds) and post.values.shape[1] <= COMPARED):
            return self
        bias = 0 if self.bias is None else int(np.abs(self.bias).max())
        return replace(self, table=CodeTable.of(self._computed, channels, self.bound + bias, most))

    def turn(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return sums [..., M] multiplied by the direction, in place."""
        if self.direction is not None:
            sums *= self.direction.astype(sums.dtype)
        return sums

    def codes(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return output codes [N, E, F, M] of turned sums [N, E, F, M] without bias, which are overwritten."""
        if self.bias is not None:
            sums += self.bias.astype(sums.dtype, copy=False)
        return self._computed(sums) if self.table is None else self.table.codes(sums)

    def _computed(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return codes of turned sums with bias."""
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
