"""Resolved parameters of one accelerator: every width and depth that the gates need."""

from dataclasses import dataclass

from rowloom.hw.units import SPECS, UnitSpec
from rowloom.model.encodings import Encoding

__all__ = ["ArrayParameters", "Hardware"]


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
    live_padding: bool = False

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
class Hardware:
    """One accelerator, without weights or program: two networks with equal parameters share it.

    Parameters
    ----------
    cols, group, drains : int
        Q, the rows summed in space, and the drain chains a column.
    arrays : tuple of ArrayParameters
    banks : int
        Activation banks, a power of two.
    bank_depth, word_bits : int
        Words of a bank and bits of a word.
    write_step : int
        Divides every strip height: bank b is only ever written by columns q = b (mod write_step).
    lanes : int
        Codes of a packed output word.
    code_bits : tuple of int
        Widths of the codes that layers write into the banks.
    pooled : tuple of (int, bool)
        Width and sign of the codes that are pooled.
    levels : int
        Bits of a code that post-processing finds, one comparison each.
    result_signed : bool
        Whether a final layer's codes are two's complement.
    sum_bits : int
        Bits of a sum in post-processing.
    threshold_depth : int
        Words of each drain lane's threshold memory.
    result_cols, result_depth : int
        Columns that give results, and words of each one's result memory.
    count_bits : int
        Bits of loop counters and of map coordinates.
    input_bits : int
        Bits of an input code.
    input_lanes : int
        Codes of an input word.
    layers : int
        Layer records of the program memory.
    logic_bits : int
        Read-only memories of at most so many bits are built from look-up tables.
    """

    cols: int
    group: int
    drains: int
    arrays: tuple[ArrayParameters, ...]
    banks: int
    bank_depth: int
    word_bits: int
    write_step: int
    lanes: int
    code_bits: tuple[int, ...]
    pooled: tuple[tuple[int, bool], ...]
    levels: int
    result_signed: bool
    sum_bits: int
    threshold_depth: int
    result_cols: int
    result_depth: int
    count_bits: int
    input_bits: int
    input_lanes: int
    layers: int
    logic_bits: int

    @property
    def address_bits(self) -> int:
        return max(1, (self.bank_depth - 1).bit_length())

    @property
    def bank_bits(self) -> int:
        return (self.banks - 1).bit_length()

    @property
    def weight_address_bits(self) -> int:
        return max(1, max(((a.weight_depth - 1).bit_length() for a in self.arrays), default=1))

    @property
    def threshold_address_bits(self) -> int:
        return max(1, (self.threshold_depth - 1).bit_length())

    @property
    def engines(self) -> int:
        """Arrays plus the pooling path, which is the last engine."""
        return len(self.arrays) + 1

    @property
    def pool(self) -> int:
        """Index of the pooling engine."""
        return len(self.arrays)
