"""The windows that a convolution slides over a map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.layers import Conv2d


def windows(padded: NDArray[Any], layer: Conv2d) -> NDArray[Any]:
    """Return a view [N, E, F, R, S, C] of a padded map [N, H, W, C]."""
    _, rows, columns, _ = layer.weights.shape
    down, across = layer.dilation
    span = (down * (rows - 1) + 1, across * (columns - 1) + 1)
    slid = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(1, 2))
    strided = slid[:, :: layer.stride[0], :: layer.stride[1], :, ::down, ::across]
    return strided.transpose(0, 1, 2, 4, 5, 3)
