"""Checking weights and biases, for the layers that have them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers
from rowloom.model.operation import Operation

if TYPE_CHECKING:
    from rowloom.model.layers import WeightedLayer


def freeze_weights(layer: "WeightedLayer") -> None:
    """Check the weights, then replace weights and bias by read-only copies."""
    if not isinstance(layer.weight_encoding, Encoding):
        raise RowloomError(layer.name, f"weight_encoding must be an Encoding, not {layer.weight_encoding!r}")
    if not isinstance(layer.operation, Operation):
        raise RowloomError(layer.name, f"operation must be an Operation, not {layer.operation!r}")
    subject = f"{layer.name} weights"
    layer.weight_encoding.check_codes(layer.weights, subject)
    weights = frozen_integers(layer.weights, dtype=layer.weight_encoding.dtype, ndim=4, subject=subject)
    if weights.size == 0:
        raise RowloomError(subject, f"must not be empty, but are {weights.shape}")
    object.__setattr__(layer, "weights", weights)
    if layer.bias is not None:
        object.__setattr__(layer, "bias", frozen_bias(layer.name, layer.bias))
        check_bias(layer.name, layer.bias, len(weights))


def frozen_bias(name: str, bias: ArrayLike) -> NDArray[np.int64]:
    """Return a layer's bias as a read-only copy."""
    return frozen_integers(bias, dtype=np.int64, ndim=1, subject=f"{name} bias")


def check_bias(name: str, bias: NDArray[np.int64] | None, channels: int) -> None:
    """Raise RowloomError if there is a bias, and not for ``channels`` channels."""
    if bias is not None and len(bias) != channels:
        raise RowloomError(name, f"bias must have {channels} entries, not {len(bias)}")
