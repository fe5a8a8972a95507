"""Checking weights, for the layers that have them."""

from typing import TYPE_CHECKING

import numpy as np

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers

if TYPE_CHECKING:
    from rowloom.model.layers import WeightedLayer


def freeze_weights(layer: "WeightedLayer") -> None:
    """Check the weights, then replace weights and bias by read-only copies."""
    if not isinstance(layer.weight_encoding, Encoding):
        raise RowloomError(layer.name, f"weight_encoding must be an Encoding, not {layer.weight_encoding!r}")
    subject = f"{layer.name} weights"
    layer.weight_encoding.check_codes(layer.weights, subject)
    weights = frozen_integers(layer.weights, dtype=layer.weight_encoding.dtype, ndim=4, subject=subject)
    if weights.size == 0:
        raise RowloomError(subject, f"must not be empty, but are {weights.shape}")
    object.__setattr__(layer, "weights", weights)
    if layer.bias is not None:
        bias = frozen_integers(layer.bias, dtype=np.int64, ndim=1, subject=f"{layer.name} bias")
        if len(bias) != len(weights):
            raise RowloomError(layer.name, f"bias must have {len(weights)} entries, not {len(bias)}")
        object.__setattr__(layer, "bias", bias)
