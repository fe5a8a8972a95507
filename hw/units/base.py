"""The one interface of every arithmetic unit."""

from typing import ClassVar

from amaranth import Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.units.spec import UnitSpec

__all__ = ["Unit"]


class Unit(wiring.Component):
    """Sum of the products of one word of activations and one word of weights.

    Every unit accepts a word each cycle and never stalls.

    Latency
    -------
    ``latency`` cycles from ``activations``, ``weights``, ``live`` and ``odd`` to ``sum``;
    throughput one word a cycle.

    Parameters
    ----------
    lanes : int
        Products a word, at least 1.
    activation_bits, weight_bits : int
        Bits of a code.
    half : bool
        Whether the sum carries the half bit (see :class:`rowloom.hw.units.spec.XnorSpec`).

    Members
    -------
    activations : In(lanes * activation_bits)
        Activation codes, lane 0 in the low bits; all zero where ``live`` is low.
    weights : In(lanes * weight_bits)
        Weight codes, lane 0 in the low bits.
    live : In(1)
        Low for a padded tap, whose products are all zero.
    odd : In(1)
        High for a word with an odd number of absent lanes; used by units with the half bit.
    sum : Out(sum_shape)
        The sum in the unit's offset form (:class:`rowloom.hw.units.spec.UnitSpec`).

    Raises
    ------
    ValueError
        If a parameter is not a positive integer.
    """

    activations: Signal
    weights: Signal
    live: Signal
    odd: Signal
    sum: Signal

    SPEC: ClassVar[type[UnitSpec]]

    def __init__(self, *, lanes, activation_bits=1, weight_bits=1, half=False):
        for name, value in (("lanes", lanes), ("activation_bits", activation_bits), ("weight_bits", weight_bits)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        self.lanes = lanes
        self.activation_bits = activation_bits
        self.weight_bits = weight_bits
        self.half = half
        low, high = self.SPEC.word_range(lanes, activation_bits, half=half)
        super().__init__(
            {
                "activations": In(unsigned(lanes * activation_bits)),
                "weights": In(unsigned(lanes * weight_bits)),
                "live": In(1),
                "odd": In(1),
                "sum": Out(range(low, high + 1)),
            }
        )

    @property
    def latency(self):
        return self.SPEC.latency(self.lanes)
