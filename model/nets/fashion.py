"""The binary network for Fashion-MNIST that ships as ``fashion-bnn``."""

from torch import nn

from rowloom.model.encodings import Uniform
from rowloom.model.nn import Conv2d, Input, Linear, MaxPool2d
from rowloom.model.quant.binary import BinaryActivation, BinaryWeight


def fashion_bnn() -> nn.Sequential:
    """Return the untrained network: images [N, 1, 28, 28] of 0 to 1 in, raw sums [N, 10] out.

    8-bit pixels, binary weights everywhere, binary activations between the layers; 49,248 weight bits.
    """
    return nn.Sequential(
        Input(Uniform(bits=8, signed=False), scale=1 / 255),
        _conv(1, 32, pool=False),
        _conv(32, 32, pool=True),
        _conv(32, 64, pool=True),
        _conv(64, 32, pool=True),
        Linear(3 * 3 * 32, 10, weight=BinaryWeight()),
    )


def _conv(in_channels: int, out_channels: int, *, pool: bool) -> Conv2d:
    return Conv2d(
        in_channels,
        out_channels,
        3,
        padding=1,
        weight=BinaryWeight(),
        activation=BinaryActivation(),
        pool=MaxPool2d(2) if pool else None,
    )
