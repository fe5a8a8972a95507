"""Weights of the vector path: a word holds the weight of every channel's own tap."""

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.mapping.regions import Region
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.weights import RowWeights
from rowloom.hw.mapping.window import Window
from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Layer
from rowloom.model.network import Network
from rowloom.model.rewrites.multiples import multipliers

__all__ = ["lane_weights"]


def lane_weights(
    layer: Layer | Send,
    network: Network,
    source: Layout,
    window: Window,
    fold: Fold,
    config: ArrayConfig,
    region: Region | None = None,
) -> tuple[RowWeights, tuple[int, int]]:
    """Lay the weights of a layer into the words of the vector path.

    Returns
    -------
    RowWeights
        Words int64 [1, depth, lanes] of integers, not codes; offsets int64 [C], because the path multiplies
        bare codes where a value is code - zero_point.
    (int, int)
        Least and greatest sum of a channel, in the same terms.
    """
    encodings = [network.tensor(name).encoding for name in layer.inputs]
    if region is None:
        weights = _weights(layer, encodings, source.channels)  # [C, R, S]
    else:
        weights = np.full((source.channels, region.rows, region.taps), region.factor, np.int64)
    taps = np.zeros((fold.blocks * config.lanes, window.rows, window.taps), np.int64)
    taps[source.places] = weights
    words = taps.reshape(fold.blocks, config.lanes, -1).transpose(0, 2, 1).reshape(1, -1, config.lanes)
    by_tap = weights.reshape(len(weights), -1)
    zeros = np.array([encoding.zero_point if isinstance(encoding, Uniform) else 0 for encoding in encodings])
    if isinstance(layer, Add):
        scales = multipliers(layer, encodings)
        offsets = by_tap @ zeros - (scales[1] if scales else 0)
    else:
        offsets = by_tap.sum(1) * zeros[0]
    # the bare code of a padded tap is the zero point
    least, greatest = (
        [min(0, *(c.code_min if isinstance(c, Uniform) else c.min for c in encodings))],
        [max(0, *(c.code_max if isinstance(c, Uniform) else c.max for c in encodings))],
    )
    if isinstance(layer, Send):  # whatever its codes mean
        offsets = np.zeros(len(weights), np.int64)
        least, greatest = [encodings[0].code_min], [encodings[0].code_max]
    above, below = np.maximum(by_tap, 0).sum(1), np.minimum(by_tap, 0).sum(1)
    span = (
        int((above * least[0] + below * greatest[0]).min()),
        int((above * greatest[0] + below * least[0]).max()),
    )
    zero = np.zeros(words.shape[1], bool)  # the path leaves nothing out
    return RowWeights(words=words, offsets=offsets, zero=zero, odd=False, needs_half=False), span


def _weights(layer: Layer | Send, encodings: list[Encoding], channels: int) -> np.ndarray:
    """Weights int64 [C, R, S]; for a sum of maps R is 1, and S counts the maps."""
    if isinstance(layer, Send):
        return np.ones((channels, 1, 1), np.int64)
    if isinstance(layer, Conv2d):
        return layer.weight_encoding.decode(layer.weights)[..., 0]
    if isinstance(layer, AveragePool2d):
        return np.ones((channels, *layer.kernel), np.int64)
    assert isinstance(layer, Add)
    scales = multipliers(layer, encodings)
    if scales is None:
        raise RowloomError(layer.name, "adds by tables that are no multiples of the values")
    return np.tile(np.array(scales[0], np.int64), (channels, 1, 1))
