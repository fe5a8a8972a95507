"""The one interface of every arithmetic unit."""

from amaranth import Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

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
    spec : UnitSpec
        Encodings of both sides.

    Members
    -------
    activations : In(lanes * activation bits)
        Activation codes, lane 0 in the low bits; all zero where ``live`` is low.
    weights : In(lanes * weight bits)
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
        If ``lanes`` is not a positive integer.
    """

    activations: Signal
    weights: Signal
    live: Signal
    odd: Signal
    sum: Signal

    def __init__(self, *, lanes, spec):
        if not isinstance(lanes, int) or lanes < 1:
            raise ValueError(f"lanes must be a positive integer, not {lanes!r}")
        self.lanes = lanes
        self.spec = spec
        low, high = spec.word_range(lanes)
        super().__init__(
            {
                "activations": In(unsigned(lanes * spec.activations.bits)),
                "weights": In(unsigned(lanes * spec.weights.bits)),
                "live": In(1),
                "odd": In(1),
                "sum": Out(range(low, high + 1)),
            }
        )

    @property
    def latency(self):
        """Cycles from a word to its sum."""
        return self.spec.latency(self.lanes)

    def activation(self, lane):
        """Code of an activation."""
        return self.activations.word_select(lane, self.spec.activations.bits)

    def weight(self, lane):
        """Code of a weight."""
        return self.weights.word_select(lane, self.spec.weights.bits)
