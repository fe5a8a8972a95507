"""What the reference networks are built of: one number format for all layers of a network."""

from collections.abc import Callable
from dataclasses import dataclass

from rowloom.model.encodings import Uniform
from rowloom.model.nn import Add, AveragePool2d, Conv2d, GlobalAveragePool2d, Input, Linear, MaxPool2d
from rowloom.model.nn.geometry import Padding, Pair
from rowloom.model.quant.binary import BinaryActivation, BinaryWeight
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.ternary import TernaryWeight
from rowloom.model.quant.uniform import CenteredActivation, UniformActivation, UniformWeight

LATENT = 0.5
"""Greatest latent weight: it becomes the greatest integer."""


def pixels() -> Input:
    """Return the input of 8-bit pixels, which stand for 0 to 1."""
    return Input(Uniform(bits=8, signed=False), scale=1 / 255)


def features() -> Input:
    """Return the input of features of -1 to 1 in 8 bits, whose code 128 means 0."""
    return Input(Uniform(bits=8, signed=False, zero_point=128), scale=1 / 128)


def same(kernel: int, stride: int, size: int) -> tuple[int, int]:
    """Return the padding before and after one axis that gives ceil(size / stride) outputs, as TensorFlow pads."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Makes the blocks of a network in one number format.

    Parameters
    ----------
    weight, activation : function
        Returns a new quantizer for one layer.
    bits : int
        Width of the activations' codes.
    """

    weight: Callable[[], Quantizer]
    activation: Callable[[], Quantizer]
    bits: int

    def conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Pair,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        groups: int = 1,
        pool: MaxPool2d | None = None,
        centered: bool = False,
    ) -> Conv2d:
        """Return convolution, batch norm, rectifier; without the rectifier if ``centered``, as before an addition."""
        return Conv2d(
            in_channels,
            out_channels,
            kernel,
            weight=self.weight(),
            activation=CenteredActivation(self.bits, full_scale=3.0) if centered else self.activation(),
            pool=pool,
            stride=stride,
            padding=padding,
            groups=groups,
        )

    def depthwise(self, channels: int, *, stride: int = 1, padding: Padding = 1, centered: bool = False) -> Conv2d:
        """Return a 3 x 3 convolution of every channel by itself."""
        return self.conv(channels, channels, 3, stride=stride, padding=padding, groups=channels, centered=centered)

    def dense(self, in_features: int, out_features: int) -> Linear:
        """Return a dense layer with batch norm and activation."""
        return Linear(in_features, out_features, weight=self.weight(), activation=self.activation())

    def last(self, in_features: int, out_features: int) -> Linear:
        """Return a dense layer that gives raw sums."""
        return Linear(in_features, out_features, weight=self.weight())

    def join(self, multipliers: tuple[int, int]) -> Add:
        """Return the sum of two maps of this format, rectified.

        Sums are divided by the sum of the multipliers times 3/4, so that few of them are cut off at the top.
        """
        return Add(multipliers, activation=self._rectified(sum(multipliers) * 0.75))

    def average(self, kernel: Pair, **options: Pair | bool) -> AveragePool2d:
        """Return averages in the same steps."""
        return AveragePool2d(kernel, activation=self._rectified(1), **options)  # type: ignore[arg-type]

    def global_average(self, channels: int) -> GlobalAveragePool2d:
        """Return normalized averages of whole maps: what differs between images is little beside what does not."""
        return GlobalAveragePool2d(activation=self.activation(), channels=channels)

    def _rectified(self, step: float) -> UniformActivation:
        """Return the activation whose integer 1 stands for a sum of ``step``."""
        return UniformActivation(self.bits, full_scale=step * ((1 << self.bits) - 1))


def integers(bits: int) -> Style:
    """Return the format of ``bits``-bit weights and activations on equal steps."""
    return Style(
        weight=lambda: UniformWeight(bits, full_scale=LATENT),
        activation=lambda: UniformActivation(bits, full_scale=2.5),
        bits=bits,
    )


BINARY = Style(weight=BinaryWeight, activation=BinaryActivation, bits=1)
"""Binary weights and activations."""

TERNARY = Style(weight=TernaryWeight, activation=lambda: UniformActivation(2), bits=2)
"""Ternary weights, 2-bit activations."""
