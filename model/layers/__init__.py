"""Layers: frozen descriptors that a network strings together."""

from rowloom.model.layers.add import Add
from rowloom.model.layers.argmax import ArgMax
from rowloom.model.layers.base import Layer, NaryLayer, Shape, UnaryLayer
from rowloom.model.layers.conv import Conv2d
from rowloom.model.layers.linear import Linear
from rowloom.model.layers.pooling import AveragePool2d, MaxPool2d, Pool2d
from rowloom.model.layers.rearrange import ChannelShuffle, Concat, DepthToSpace, Upsample

__all__ = [
    "OPS",
    "Add",
    "ArgMax",
    "AveragePool2d",
    "ChannelShuffle",
    "Concat",
    "Conv2d",
    "DepthToSpace",
    "Layer",
    "Linear",
    "MaxPool2d",
    "NaryLayer",
    "Pool2d",
    "Shape",
    "SummingLayer",
    "UnaryLayer",
    "Upsample",
    "WeightedLayer",
]

WeightedLayer = Conv2d | Linear
"""The layers that have weights."""

SummingLayer = WeightedLayer | AveragePool2d | Add
"""The layers that form sums, with a bias and a post-operation."""

OPS: dict[str, type[Layer]] = {
    cls.op: cls
    for cls in (
        Conv2d,
        Linear,
        MaxPool2d,
        AveragePool2d,
        Add,
        Concat,
        ChannelShuffle,
        Upsample,
        DepthToSpace,
        ArgMax,
    )
}
"""Every layer class by its name in files."""
