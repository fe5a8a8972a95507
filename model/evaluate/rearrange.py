"""Layers that move codes: every function takes and returns codes [N, H, W, C]."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.layers import ChannelShuffle, DepthToSpace, Upsample


def concat(*maps: NDArray[Any]) -> NDArray[Any]:
    """Return the channels of all maps after each other."""
    return np.concatenate(maps, axis=3)


def channel_shuffle(layer: ChannelShuffle, codes: NDArray[Any]) -> NDArray[Any]:
    """Return channel g * (C / groups) + i as channel i * groups + g."""
    split = codes.reshape(*codes.shape[:3], layer.groups, -1)
    return np.ascontiguousarray(split.swapaxes(3, 4)).reshape(codes.shape)


def upsample(layer: Upsample, codes: NDArray[Any]) -> NDArray[Any]:
    """Return every pixel as a square of equal ones."""
    return codes.repeat(layer.factor, axis=1).repeat(layer.factor, axis=2)


def depth_to_space(layer: DepthToSpace, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the channels of every pixel as a square of pixels."""
    count, height, width, channels = codes.shape
    block, depth = layer.block, channels // layer.block**2
    if layer.mode == "DCR":
        squares = codes.reshape(count, height, width, block, block, depth).transpose(0, 1, 3, 2, 4, 5)
    else:
        squares = codes.reshape(count, height, width, depth, block, block).transpose(0, 1, 4, 2, 5, 3)
    return np.ascontiguousarray(squares).reshape(count, height * block, width * block, depth)
