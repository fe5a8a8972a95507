"""Layers: frozen descriptors that a network strings together."""

from rowloom.model.layers.argmax import ArgMax
from rowloom.model.layers.base import Layer, Shape
from rowloom.model.layers.conv import Conv2d
from rowloom.model.layers.linear import Linear
from rowloom.model.layers.pooling import MaxPool2d

__all__ = ["OPS", "ArgMax", "Conv2d", "Layer", "Linear", "MaxPool2d", "Shape", "WeightedLayer"]

WeightedLayer = Conv2d | Linear
"""The layers that have weights, sums and a post-operation."""

OPS: dict[str, type[Layer]] = {cls.op: cls for cls in (Conv2d, Linear, MaxPool2d, ArgMax)}
"""Every layer class by its name in files."""
