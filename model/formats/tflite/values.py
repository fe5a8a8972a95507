"""What a tensor of a TFLite file is in the network."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rowloom.model.layers import Shape
from rowloom.model.softmax import IntegerSoftmax
from rowloom.model.views import Arrangement

Padding = tuple[int, int, int, int]
"""Top, bottom, left, right."""

NO_PADDING: Padding = (0, 0, 0, 0)

MOST_PLACES = 1 << 24
"""Elements of a tensor whose order is written down one by one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Value:
    """What a tensor of the file is in the network.

    Parameters
    ----------
    tensor : str
        Of the network: the map.
    shape : tuple of int
        In the file, with the batch.
    padding : (int, int, int, int)
        What lies round the map that no layer has put there yet.
    fill : int
        The value (not code) that the padding holds.
    places : int64 array of ``shape`` or None
        Where in the map each element lies, if they are not in the map's order: H, W, C.
    softmax : IntegerSoftmax or None
        Applied on the host.
    real : bool
        Whether the file turns it into floats.
    scale : float or None
        By which it does; None for that of the file's tensor.
    steps : tuple of str
        What the file does with those, on the host.
    """

    tensor: str
    shape: tuple[int, ...]
    padding: Padding = NO_PADDING
    fill: int = 0
    places: NDArray[np.int64] | None = None
    softmax: IntegerSoftmax | None = None
    real: bool = False
    scale: float | None = None
    steps: tuple[str, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether the file's elements lie elsewhere than in the map."""
        return self.places is not None or any(self.padding)


def map_shape(shape: tuple[int, ...]) -> Shape | None:
    """Return H, W, C of a shape with a batch of one; None if it is no map."""
    if not 1 <= len(shape) <= 4 or (len(shape) > 1 and shape[0] != 1) or min(shape, default=0) < 1:
        return None
    sizes = (1, 1, 1, *(shape[1:] if len(shape) > 1 else shape))
    return sizes[-3], sizes[-2], sizes[-1]


def padded_shape(shape: Shape, padding: Padding) -> Shape:
    """Return the shape of a map with its padding."""
    top, bottom, left, right = padding
    return shape[0] + top + bottom, shape[1] + left + right, shape[2]


def turned(seen: Shape, stored: Shape) -> bool | None:
    """Whether a map of one row is seen as a map of one column, or the other way; None if it is neither map."""
    if seen == stored:
        return False
    return True if 1 in stored[:2] and seen == (stored[1], stored[0], stored[2]) else None


def in_order(places: NDArray[np.int64], stored: Shape) -> NDArray[np.int64] | None:
    """Return the places in a map, or None if they are just all of it in its order."""
    whole = places.size == math.prod(stored)
    return None if whole and np.array_equal(places.reshape(-1), np.arange(places.size)) else places


def arrangement(shape: tuple[int, ...], places: NDArray[np.int64] | None, stored: Shape) -> Arrangement | None:
    """Return how a file shows a map; None if no permutation of its axes does."""
    seen = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if places is None:
        return Arrangement(shape=seen, sizes=stored, order=(0, 1, 2))
    natural = np.arange(math.prod(stored)).reshape(stored)
    for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        if np.array_equal(natural.transpose(order).reshape(-1), places.reshape(-1)):
            inverse = tuple(order.index(axis) for axis in range(3))
            return Arrangement(shape=seen, sizes=tuple(stored[axis] for axis in order), order=inverse)
    return None
