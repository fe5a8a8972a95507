"""The kinds of layers that the mapping tells apart."""

from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.slices import Slice
from rowloom.model.layers import ChannelShuffle, Concat, Conv2d, DepthToSpace, Layer, Linear
from rowloom.model.operation import Operation

__all__ = ["is_depthwise", "is_view", "keeps_lanes"]


def is_view(layer: Layer | Send) -> bool:
    """Whether a layer is no step of its own: it renames what is there, or another one writes its output."""
    return isinstance(layer, Concat | ChannelShuffle | DepthToSpace | Slice)


def keeps_lanes(layer: Layer | Send) -> bool:
    """Whether a layer's output channel lies in the lane of its input channel."""
    if isinstance(layer, Conv2d):
        return is_depthwise(layer)
    return not isinstance(layer, Linear)


def is_depthwise(layer: Layer | Send) -> bool:
    """Whether a layer multiplies each channel with a filter of its own."""
    if not isinstance(layer, Conv2d) or layer.operation is not Operation.MULTIPLY:
        return False
    return 1 < layer.groups == len(layer.weights) and layer.weights.shape[3] == 1
