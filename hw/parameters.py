"""Resolved parameters of one accelerator: every width and depth that the gates need."""

from dataclasses import dataclass

from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.lane_parameters import ExtraLanes, LineParameters

__all__ = ["Hardware", "SkipParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipParameters:
    """Sizes of the table of words that are multiplied, see :class:`rowloom.hw.skips.SkipTable`.

    Parameters
    ----------
    depth : int
        Entries.
    a_bits, x_bits, y_bits : int
        Bits of a word's place in its window: words in the bank, columns, rows.
    """

    depth: int
    a_bits: int
    x_bits: int
    y_bits: int

    @property
    def address_bits(self) -> int:
        return max(1, (self.depth - 1).bit_length())

    @property
    def fields(self) -> dict[str, int]:
        """Fields of an entry and their widths, from the low bits up."""
        return {"a": self.a_bits, "x": self.x_bits, "y": self.y_bits, "last": 1, "wrap": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One accelerator, without weights or program: two networks with equal parameters share it.

    Parameters
    ----------
    cols, group, drains : int
        Q, the rows summed in space, and the drain chains a column.
    arrays : tuple of ArrayParameters
    vectors : tuple of VectorParameters
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
    line : LineParameters or None
        Codes are found by division, not by tables of thresholds.
    result_codes : tuple of (int, bool)
        Width of a final layer's codes, and whether they are two's complement; of all that leave.
    outputs : int
        Tensors that leave.
    pad_bits : int
        Width of a pattern of the codes that padded taps hold where code 0 does not mean 0; 0 if that never is so.
    slices : bool
        Whether a layer may write a slice of the channels of a map.
    sum_bits : int
        Bits of a sum in post-processing.
    threshold_depth : int
        Words of each drain lane's threshold memory.
    result_cols, result_lanes, result_depth : int
        Columns that give results, lanes of each of them, and words of its result memory.
    count_bits : int
        Bits of loop counters and of map coordinates.
    input_bits : int
        Bits of an input code.
    input_lanes : int
        Codes of an input word.
    input_window : int
        Codes of a window of the input where that takes several words, else 0.
    input_rows : int
        Input rows that a row of the banks holds.
    input_zero : bool
        Whether windows of the input are padded with another code than 0.
    input_planes : bool
        Whether the input is stored plane by plane.
    layers : int
        Layer records of the program memory.
    logic_bits : int
        Read-only memories of at most so many bits are built from look-up tables.
    output_planes : int
        Most planes of a word that a layer writes into the banks, 0 where none is stored so.
    plane_pairs : int
        Rows of the table of bit planes, 0 where no layer runs as planes.
    result_shifts : tuple of int
        Low zero bits of the raw sums of final layers.
    maps : int
        Most maps that a layer adds, at least 2.
    copies : bool
        Whether a layer may read a pixel several times.
    squares : bool
        Whether a layer may write squares of pixels.
    result_squares : bool
        Whether the pixels of a final layer may leave as squares of pixels.
    parts : bool
        Whether a layer may begin to write within a map.
    load_bits : int
        Bits of a word of the port over which program, weights and thresholds come, 0 where they are fixed.
    single_port : bool
        Weight memories have one port.
    weight_stream : int
        Bits a cycle in which weights come over that port while images are computed, 0 if they never do.
    extra : ExtraLanes or None
        Post-processing lanes of the vector path beside ``drains``.
    skips : SkipParameters or None
        Layers may leave out words of weights that are zero.
    """

    cols: int
    group: int
    drains: int
    arrays: tuple[ArrayParameters, ...]
    vectors: tuple[VectorParameters, ...]
    banks: int
    bank_depth: int
    word_bits: int
    write_step: int
    lanes: int
    code_bits: tuple[int, ...]
    pooled: tuple[tuple[int, bool], ...]
    levels: int
    line: LineParameters | None
    result_codes: tuple[tuple[int, bool], ...]
    outputs: int
    pad_bits: int
    slices: bool
    sum_bits: int
    threshold_depth: int
    result_cols: int
    result_lanes: int
    result_depth: int
    count_bits: int
    input_bits: int
    input_lanes: int
    input_zero: bool
    layers: int
    logic_bits: int
    input_window: int = 0
    input_rows: int = 1
    input_planes: bool = False
    output_planes: int = 0
    plane_pairs: int = 0
    result_shifts: tuple[int, ...] = (0,)
    maps: int = 2
    copies: bool = False
    squares: bool = False
    result_squares: bool = False
    parts: bool = False
    load_bits: int = 0
    single_port: bool = False
    weight_stream: int = 0
    extra: ExtraLanes | None = None
    skips: SkipParameters | None = None

    @property
    def code_cycles(self) -> int:
        """Cycles from a sum's announcement to its code."""
        if self.line is None:
            return 3 * self.levels
        return 2 + self.levels + self.line.turns

    @property
    def code_lanes(self) -> int:
        """Post-processing lanes of a column."""
        return self.drains + (self.extra.count if self.extra else 0)

    def of_lane(self, k: int) -> "Hardware | ExtraLanes":
        """What has the widths of post-processing lane ``k``: its ``sum_bits``, ``line`` and ``threshold_depth``."""
        return self.extra if self.extra and k >= self.drains else self

    @property
    def address_bits(self) -> int:
        return max(1, (self.bank_depth - 1).bit_length())

    @property
    def bank_bits(self) -> int:
        return (self.banks - 1).bit_length()

    @property
    def weight_address_bits(self) -> int:
        depths = [array.weight_depth for array in self.arrays] + [path.weight_depth for path in self.vectors]
        return max(1, *((depth - 1).bit_length() for depth in depths))

    @property
    def threshold_address_bits(self) -> int:
        return max(1, (self.threshold_depth - 1).bit_length())

    @property
    def merges(self) -> bool:
        """Whether an array can put the words of a column side by side."""
        return any(array.merged for array in self.arrays)

    def products(self, array: ArrayParameters) -> int:
        """Products that an element of an array forms in a cycle."""
        return array.lanes * (self.group if array.stacked else 1)

    @property
    def engines(self) -> int:
        """Arrays, vector paths, and the pooling path, which is the last engine."""
        return len(self.arrays) + len(self.vectors) + 1

    @property
    def pool(self) -> int:
        """Index of the pooling engine."""
        return self.engines - 1
