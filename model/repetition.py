"""How often a layer's kernels repeat."""

import numpy as np

from rowloom.model.encodings import Binary
from rowloom.model.layers import Conv2d, Layer


def distinct_kernels(layer: Layer) -> float | None:
    """Return the share of distinct R x S kernels among the M * C / groups of a binary convolution, above 0 to 1.

    There are only 2^(R * S) patterns of signs, 512 for 3 x 3: what a pattern has in common with a map needs to be
    computed once for all filters that have it. None for other layers.

    References
    ----------
    Hubara, Courbariaux, Soudry, El-Yaniv, Bengio: Binarized Neural Networks, NeurIPS 2016, section 3.3.
    """
    if not isinstance(layer, Conv2d) or not isinstance(layer.weight_encoding, Binary):
        return None
    filters, rows, columns, channels = layer.weights.shape
    kernels = layer.weights.transpose(0, 3, 1, 2).reshape(filters * channels, rows * columns)
    return len(np.unique(np.packbits(kernels, axis=1), axis=0)) / len(kernels)
