"""Layers to train with: torch modules that :func:`rowloom.model.lowering.lower` understands.

What flows between them are values: integers, held exactly by floats. A weighted layer is a block: sum, max pool,
batch norm, activation, so that nothing real-valued leaves it; so are average pools and additions. Of torch's own
modules, ChannelShuffle, PixelShuffle and nearest Upsample fit between them. Layout is torch's, N C H W.
"""

from rowloom.model.nn.adder import AdderConv2d, AdderLinear
from rowloom.model.nn.input import Input
from rowloom.model.nn.join import Add, Concat
from rowloom.model.nn.norm import BatchNorm
from rowloom.model.nn.pooling import Average, AveragePool2d, GlobalAveragePool2d, MaxPool2d
from rowloom.model.nn.summing import Summing
from rowloom.model.nn.weighted import Conv2d, Linear, Weighted

__all__ = [
    "Add",
    "AdderConv2d",
    "AdderLinear",
    "Average",
    "AveragePool2d",
    "BatchNorm",
    "Concat",
    "Conv2d",
    "GlobalAveragePool2d",
    "Input",
    "Linear",
    "MaxPool2d",
    "Summing",
    "Weighted",
]
