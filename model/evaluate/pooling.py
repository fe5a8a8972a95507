"""Windows of one channel at a time: their greatest code, or the sum of their values."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.bounds import pool_reach
from rowloom.model.encodings import Encoding
from rowloom.model.evaluate.finish import Finish
from rowloom.model.evaluate.numbers import decode, exact_type, pad
from rowloom.model.layers import AveragePool2d, MaxPool2d, Shape


def max_pool(layer: MaxPool2d, lowest: int, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the greatest code of each window; padding holds the lowest code, so it never wins alone."""
    height, width, _ = layer.output_shape((codes.shape[1], codes.shape[2], 1))
    padded = pad(codes, layer.padding, lowest)
    down, across = layer.stride
    rows = (padded[:, r::down][:, :height] for r in range(layer.kernel[0]))
    tallest = reduce(np.maximum, rows)
    columns = (tallest[:, :, s::across][:, :, :width] for s in range(layer.kernel[1]))
    return reduce(np.maximum, columns)


@dataclass(frozen=True, slots=True)
class WindowSums:
    """An average pool, prepared: rows are added first, then columns, so that a window costs R + S additions."""

    layer: AveragePool2d
    source: Encoding
    dtype: DTypeLike
    factors: NDArray[Any] | None
    """[E, F, 1]: by what each window is multiplied; None if by 1."""
    finish: Finish

    @classmethod
    def of(cls, layer: AveragePool2d, source: Encoding, target: Encoding, shape: Shape) -> "WindowSums":
        """Return the layer prepared for maps of ``shape``."""
        rows, columns = layer.factors(shape)
        bound = pool_reach(layer, source, shape)
        dtype = exact_type(bound)
        factors = np.multiply.outer(rows, columns)[:, :, None].astype(dtype)
        return cls(
            layer=layer,
            source=source,
            dtype=dtype,
            factors=None if np.all(factors == 1) else factors,
            finish=Finish.of(layer, target, dtype, bound),
        )

    def codes(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return output codes [N, E, F, C] of codes [N, H, W, C]."""
        height, width, _ = self.layer.output_shape(codes.shape[1:])
        padded = pad(decode(self.source, codes, self.dtype), self.layer.padding)
        down, across = self.layer.stride
        rows = _add_up(padded[:, r::down][:, :height] for r in range(self.layer.kernel[0]))
        sums = _add_up(rows[:, :, s::across][:, :, :width] for s in range(self.layer.kernel[1]))
        if self.factors is not None:
            sums *= self.factors
        return self.finish.codes(self.finish.turn(sums))


def _add_up(taps: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Return the sum of arrays of equal shape, in an array of its own."""
    first, *others = taps
    total = first.copy()
    for tap in others:
        total += tap
    return total
