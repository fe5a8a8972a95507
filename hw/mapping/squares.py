"""Pixels that become squares of pixels: where the layer in front of a depth to space puts its channels."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.model.layers import DepthToSpace
from rowloom.model.layers.base import Shape

__all__ = ["Square", "square_of"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Square:
    """How a layer writes the pixels of a depth to space in place of its own.

    Its filters come out in the order of the square's pixels, line by line. Each pixel begins with an emission of its
    own, and fills words of its own.

    Parameters
    ----------
    output : str
        The map of the squares' pixels.
    side : int
        Side of a square.
    channels : int
        Of a pixel of a square.
    emissions : int
        Of a pixel of a square.
    word_emissions : int
        That fill a word.
    places : int64 [M]
        Place of each filter among all that come out for a pixel, ``emissions`` times drains to each pixel of a square.
    """

    output: str
    side: int
    channels: int
    emissions: int
    word_emissions: int
    places: np.ndarray


def square_of(layer: DepthToSpace, shape: Shape, config: ArrayConfig, *, leaves: bool) -> Square:
    """The squares of a layer that reads maps of ``shape``; a map that leaves is not packed into words."""
    pixels = layer.block**2
    channels = shape[2] // pixels
    full = config.lanes // config.drains
    emissions = -(-channels // config.drains)
    if emissions > full and not leaves:
        emissions = -(-channels // config.lanes) * full
    inner = np.arange(pixels)[:, None] * (emissions * config.drains) + np.arange(channels)
    return Square(
        output=layer.output,
        side=layer.block,
        channels=channels,
        emissions=emissions,
        word_emissions=min(emissions, full),
        places=(inner if layer.mode == "DCR" else inner.T).reshape(-1),
    )
