"""Convolutions in which every filter sees one channel: tap after tap, all channels at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.evaluate.numbers import decode, pad
from rowloom.model.layers import Conv2d, Shape

BLOCK = 1 << 17
"""Sums that are formed together, at least an image's: few enough that they stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class TapSums:
    """A depthwise convolution, prepared. Nothing is gathered into windows: a tap is a strided view of the map."""

    layer: Conv2d
    source: Encoding
    weights: NDArray[Any]
    """[R, S, F, M]: values times direction, repeated along a row so that it is one loop."""

    @classmethod
    def of(
        cls, layer: Conv2d, source: Encoding, shape: Shape, dtype: DTypeLike, direction: NDArray[np.integer] | None
    ) -> "TapSums":
        """Return a layer whose groups have one channel, prepared for maps of ``shape`` and sums of type ``dtype``."""
        values = layer.weight_encoding.decode(layer.weights)[:, :, :, 0]
        if direction is not None:
            values = values * direction[:, None, None]
        _, width, filters = layer.output_shape(shape)
        rows, columns = values.shape[1:]
        taps = values.transpose(1, 2, 0).astype(dtype)[:, :, None, :]
        return cls(
            layer=layer,
            source=source,
            weights=np.ascontiguousarray(np.broadcast_to(taps, (rows, columns, width, filters))),
        )

    def sums(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Return sums [N, E, F, M], without bias, of codes [N, H, W, C]."""
        layer = self.layer
        height, width, filters = layer.output_shape((codes.shape[1], codes.shape[2], codes.shape[3]))
        total = np.empty((len(codes), height, width, filters), self.weights.dtype)
        together = max(1, BLOCK // (height * width * filters))
        product = np.empty_like(total[:together])
        for start in range(0, len(codes), together):
            values = pad(
                decode(self.source, codes[start : start + together], self.weights.dtype),
                layer.padding,
                layer.pad_value or 0,
            )
            self._add_up(
                values.repeat(filters // layer.groups, axis=3), total[start : start + together], product[: len(values)]
            )
        return total

    def _add_up(self, values: NDArray[Any], total: NDArray[Any], product: NDArray[Any]) -> None:
        """Write the sums of padded values [N, H, W, M] to ``total``; ``product`` is room for one tap."""
        height, width = total.shape[1:3]
        for r, row in enumerate(self.weights):
            for s, weight in enumerate(row):
                top, left = r * self.layer.dilation[0], s * self.layer.dilation[1]
                tap = values[:, top :: self.layer.stride[0], left :: self.layer.stride[1]][:, :height, :width]
                if r == s == 0:
                    np.multiply(tap, weight, out=total)
                else:
                    total += np.multiply(tap, weight, out=product)
