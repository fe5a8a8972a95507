"""One small network for Fashion-MNIST in every number format, to compare formats by."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from rowloom.model.encodings import Uniform
from rowloom.model.nn import Conv2d, Input, Linear, MaxPool2d
from rowloom.model.quant.binary import BinaryActivation, BinaryWeight
from rowloom.model.quant.dorefa import DoReFaActivation, DoReFaWeight
from rowloom.model.quant.logarithmic import PowerOfTwoActivation, PowerOfTwoWeight
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.quinary import QuinaryWeight
from rowloom.model.quant.ternary import TernaryWeight
from rowloom.model.quant.trained_ternary import TrainedTernaryWeight
from rowloom.model.quant.uniform import UniformActivation, UniformWeight


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What the weights and the activations of a network are.

    Parameters
    ----------
    description : str
        A few words.
    weight, activation : function
        Returns a new quantizer for one layer.
    sum_deviation : float
        Standard deviation of the untrained network's output, rounded: by this the loss divides it.
    learning_rate : float
        Peak of Adam's rate.
    """

    description: str
    weight: Callable[[], Quantizer]
    activation: Callable[[], Quantizer]
    sum_deviation: float
    learning_rate: float = 1e-2

    def network(self) -> nn.Sequential:
        """Return the untrained network: images [N, 1, 28, 28] of 0 to 1 in, raw sums [N, 10] out.

        8-bit pixels; 21,968 weights and 1,254,464 multiply-accumulates.
        """
        return nn.Sequential(
            Input(Uniform(bits=8, signed=False), scale=1 / 255),
            self._conv(1, 16, padding=1, pool=MaxPool2d(2)),
            self._conv(16, 32, padding=1, pool=MaxPool2d(2)),
            self._conv(32, 32, padding=0, pool=None),
            Linear(5 * 5 * 32, 10, weight=self.weight()),
        )

    def _conv(self, in_channels: int, out_channels: int, *, padding: int, pool: MaxPool2d | None) -> Conv2d:
        return Conv2d(
            in_channels,
            out_channels,
            3,
            padding=padding,
            weight=self.weight(),
            activation=self.activation(),
            pool=pool,
        )


FORMATS: dict[str, Format] = {
    "binary": Format(
        description="binary weights and activations",
        weight=BinaryWeight,
        activation=BinaryActivation,
        sum_deviation=27,
        learning_rate=2e-2,
    ),
    "ternary": Format(
        description="ternary weights (TWN), 2-bit activations",
        weight=TernaryWeight,
        activation=lambda: UniformActivation(2),
        sum_deviation=21,
    ),
    "ttq": Format(
        description="ternary weights with a scale for each sign (TTQ), 2-bit activations",
        weight=TrainedTernaryWeight,
        activation=lambda: UniformActivation(2),
        sum_deviation=180,
    ),
    "quinary": Format(
        description="five-level weights, 2-bit activations",
        weight=QuinaryWeight,
        activation=lambda: UniformActivation(2),
        sum_deviation=36,
    ),
    "log-weights": Format(
        description="power-of-two weights, 4-bit activations",
        weight=PowerOfTwoWeight,
        activation=lambda: UniformActivation(4),
        sum_deviation=160,
    ),
    "log-both": Format(
        description="power-of-two weights and activations",
        weight=PowerOfTwoWeight,
        activation=PowerOfTwoActivation,
        sum_deviation=380,
    ),
    "dorefa2": Format(
        description="2-bit weights and activations (DoReFa)",
        weight=lambda: DoReFaWeight(2),
        activation=lambda: DoReFaActivation(2),
        sum_deviation=77,
    ),
    "dorefa3": Format(
        description="3-bit weights and activations (DoReFa)",
        weight=lambda: DoReFaWeight(3),
        activation=lambda: DoReFaActivation(3),
        sum_deviation=380,
    ),
    "w4a4": Format(
        description="4-bit weights and activations on trained steps (LSQ, PACT)",
        weight=lambda: UniformWeight(4),
        activation=lambda: UniformActivation(4),
        sum_deviation=260,
    ),
    "w8a8": Format(
        description="8-bit weights and activations on trained steps (LSQ, PACT)",
        weight=lambda: UniformWeight(8),
        activation=lambda: UniformActivation(8),
        sum_deviation=83_000,
    ),
}
"""Every format by its name; ``fashion-`` and the name is the recipe."""
