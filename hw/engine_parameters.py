"""Resolved parameters of what multiplies: arrays of units, and paths of independent multiply-accumulators."""

from dataclasses import dataclass
from typing import ClassVar

from rowloom.hw.units import SPECS, UnitSpec
from rowloom.model.encodings import Encoding

__all__ = ["ArrayParameters", "VectorParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayParameters:
    """One array of processing elements.

    Parameters
    ----------
    unit : str
        Name of the arithmetic unit of every processing element.
    rows : int
        Rows of processing elements, a multiple of the accelerator's drains.
    lanes : int
        Activation codes of one stream word that the array uses.
    stacked : bool
        If set, the ``group`` input rows of a column stand side by side in the lanes of one
        processing element (``group * lanes`` products); otherwise each row of processing elements
        takes one input row.
    weights, activations : Encoding
        What the codes mean.
    weight_depth : int
        Words of each row's weight memory.
    sum_bits : int
        Bits of an accumulator.
    half : bool
        Whether the unit carries the half bit that odd channel counts with padding need.
    planes : bool
        Whether the accumulators can double, for layers that run as bit planes in time.
    merged : int
        Lanes of each stream that can stand side by side with those of the column's other streams, 0 for none.
    live_padding : bool
        Whether padded taps are taps like others that hold code 0, instead of contributing nothing.
    """

    unit: str
    rows: int
    lanes: int
    stacked: bool
    weights: Encoding
    activations: Encoding
    weight_depth: int
    sum_bits: int
    half: bool = False
    planes: bool = False
    merged: int = 0
    live_padding: bool = False

    @property
    def kind(self) -> tuple[object, ...]:
        """What tells one array of an accelerator from another."""
        return (self.unit, self.rows, self.lanes, self.stacked, self.weights, self.activations, self.live_padding)

    @property
    def spec(self) -> UnitSpec:
        """Facts of the array's units."""
        return SPECS[self.unit](weights=self.weights, activations=self.activations, half=self.half)

    @property
    def weight_bits(self) -> int:
        """Bits of a weight code."""
        return self.weights.bits

    @property
    def activation_bits(self) -> int:
        """Bits of an activation code."""
        return self.activations.bits


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorParameters:
    """A path of independent multiply-accumulators.

    Parameters
    ----------
    lanes : int
        Multiply-accumulators a column, a multiple of ``drains``.
    drains : int
        Drain chains a column, at least the accelerator's.
    activations : Encoding
        What the codes mean; where that is an affine function of the code, of the bare code.
    gated : bool
        Whether a padded tap must be gated, because no code means 0.
    weight_bits : int
        Bits of a weight, two's complement.
    weight_depth : int
        Words of the weight memory.
    sum_bits : int
        Bits of an accumulator, two's complement.
    """

    lanes: int
    drains: int
    activations: Encoding
    gated: bool = False
    weight_bits: int = 1
    weight_depth: int = 1
    sum_bits: int = 1

    #: Name in reports.
    unit: ClassVar[str] = "vector"

    #: Cycles from a word to its products.
    LATENCY: ClassVar[int] = 1

    @property
    def kind(self) -> tuple[object, ...]:
        """What tells one path of an accelerator from another."""
        return (self.unit, self.lanes, self.activations, self.gated)

    @property
    def rows(self) -> int:
        """Weight memories."""
        return 1
