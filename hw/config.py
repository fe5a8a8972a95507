"""What a user chooses: the size of the array, and the budget it must fit."""

from dataclasses import asdict, dataclass
from math import gcd

from rowloom.hw.units import SPECS
from rowloom.model.errors import RowloomError

__all__ = ["DEFAULT", "LOAD_BITS", "PLANES", "ArrayConfig", "Budget"]

#: Whether layers of several bits run as bit planes.
PLANES = ("auto", "always", "never")


#: Bits of a word of the load port, 0 for none.
LOAD_BITS = (0, 8, 16, 32, 64)


def _positive(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RowloomError(name, f"must be a positive integer, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayConfig:
    """Size of the largest array, and of what stands round it.

    Peak throughput is ``rows * cols * lanes`` multiply-accumulates a cycle.

    Parameters
    ----------
    rows : int
        P, rows of processing elements. A row holds a filter row, or a filter.
    cols : int
        Q, columns. A column computes one output row.
    lanes : int
        L, products a processing element forms each cycle.
    group : int, optional
        Rows of different filter rows that a column can sum in space (the R of one filter).
        Default: 3, or ``rows`` where that is fewer.
    drains : int, optional
        Drain chains a column, each with a post-processing lane of its own. Divides ``rows`` and
        ``lanes``. Default: the largest divisor of both that leaves at least 3 rows a chain.
    vector_drains : int, optional
        Codes of a column that leave the vector path at once, each through a post-processing lane: a multiple of
        ``drains`` that divides ``lanes``. Default: ``drains``; or, where draining would keep the vector path
        waiting for more than a hundredth of all cycles, as many more as let a word of ``lanes`` codes leave
        while a 3 x 3 window accumulates.
    input_lanes : int, optional
        Lanes of the array that takes the 8-bit first layer, for each of the ``group`` input rows.
        Default: as many 8-bit codes as ``lanes`` bits hold, at least 1.
    prefetch : bool
        Whether the next image may be loaded while the current one is computed; costs the memory of
        one image.
    units : tuple of str
        Units to prefer to the usual ones, such as ``("bitplane",)`` or ``("multiply",)``, wherever they
        accept a layer's encodings.
    planes : {"auto", "always", "never"}
        Whether layers of several bits run on the xnor array, bit plane after bit plane, instead of on
        units of their own: where LUTs times cycles become fewer, wherever possible, or nowhere.
    sparse : bool
        Whether words of weights that are zero in all rows of an array at once are left out, in layers that
        save time by it.
    logic_bits : int
        Read-only memories of at most so many bits are built from look-up tables, to spare block RAM.
    load_bits : {0, 8, 16, 32, 64}
        Bits of a word of the port over which program, weights and thresholds come, so that one accelerator runs every
        network that fits it; 0: they are fixed.
    single_port : bool
        With ``load_bits``, weight memories have one port: SPRAM, where a device has it. They hold nothing at first,
        and no weights can be streamed into them.
    weight_stream : int
        Bits a cycle in which weights come over the same port while images are computed, for layers that find no room;
        divides ``load_bits``. 0: all weights lie in the memories.
    weight_depth : int
        With ``weight_stream``, most words of the weight memory of an array's row.

    Raises
    ------
    RowloomError
        If a parameter is not a positive integer, or ``drains`` does not divide ``rows`` and
        ``lanes``, or ``vector_drains`` does not suit them, or ``group`` exceeds ``rows``.
    """

    rows: int
    cols: int
    lanes: int
    group: int = 0
    drains: int = 0
    vector_drains: int = 0
    input_lanes: int = 0
    prefetch: bool = True
    logic_bits: int = 1024
    units: tuple[str, ...] = ()
    planes: str = "auto"
    sparse: bool = True
    load_bits: int = 0
    single_port: bool = False
    weight_stream: int = 0
    weight_depth: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "lanes"):
            _positive(name, getattr(self, name))
        if self.group == 0:
            object.__setattr__(self, "group", min(3, self.rows))
        if self.drains == 0:
            object.__setattr__(self, "drains", _default_drains(self.rows, self.lanes))
        if self.input_lanes == 0:
            object.__setattr__(self, "input_lanes", max(1, self.lanes // 8))
        for name in ("group", "drains", "input_lanes"):
            _positive(name, getattr(self, name))
        if self.vector_drains:
            _positive("vector_drains", self.vector_drains)
        for unit in self.units:
            if unit not in SPECS:
                raise RowloomError("units", f"must be some of {', '.join(SPECS)}, not {unit!r}")
        if self.planes not in PLANES:
            raise RowloomError("planes", f"must be one of {', '.join(PLANES)}, not {self.planes!r}")
        if self.load_bits not in LOAD_BITS:
            raise RowloomError("load_bits", f"must be one of {', '.join(map(str, LOAD_BITS))}, not {self.load_bits!r}")
        if self.single_port and (not self.load_bits or self.weight_stream):
            raise RowloomError("single_port", "needs load_bits, and no weight_stream")
        self._check_stream()
        if self.group > self.rows:
            raise RowloomError("group", f"must be at most rows ({self.rows}), not {self.group}")
        if self.rows % self.drains or self.lanes % self.drains:
            raise RowloomError("drains", f"must divide rows ({self.rows}) and lanes ({self.lanes}), not {self.drains}")
        if self.vector_drains and (self.vector_drains % self.drains or self.lanes % self.vector_drains):
            raise RowloomError(
                "vector_drains",
                f"must be a multiple of drains ({self.drains}) and divide lanes ({self.lanes}), "
                f"not {self.vector_drains}",
            )

    def _check_stream(self) -> None:
        """Refuse a stream of weights without a port, or without memories that it fills."""
        if not self.weight_stream and not self.weight_depth:
            return
        for name in ("weight_stream", "weight_depth"):
            _positive(name, getattr(self, name))
        if self.load_bits % self.weight_stream or not self.load_bits:
            raise RowloomError("weight_stream", f"must divide load_bits ({self.load_bits}), not {self.weight_stream}")

    @property
    def peak(self) -> int:
        """Multiply-accumulates a cycle at full use."""
        return self.rows * self.cols * self.lanes

    @property
    def chain(self) -> int:
        """Rows of one drain chain."""
        return self.rows // self.drains

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def _default_drains(rows: int, lanes: int) -> int:
    common = gcd(rows, lanes)
    return max(d for d in range(1, common + 1) if common % d == 0 and (d == 1 or rows // d >= 3))


#: The array that ``make sim`` runs: 12 x 2 processing elements of 32 lanes, 768 binary MACs a cycle.
DEFAULT = ArrayConfig(rows=12, cols=2, lanes=32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a device offers, and the clock that is wanted of it.

    ``bram_blocks`` block RAMs of ``bram_block_bits`` bits, at most ``bram_block_width`` bits wide.
    ``dsp`` multiplier blocks take operands of ``dsp_widest`` bits, and two products where both
    operands have at most ``dsp_paired``. ``loose_ff`` is the part of the flip-flops that take a
    look-up table's place, because a cell's flip-flop can only be fed by its own table (iCE40).
    """

    lut4: int
    ff: int
    bram_blocks: int
    bram_block_bits: int
    bram_block_width: int
    dsp: int
    clock_mhz: float
    dsp_widest: int = 17
    dsp_paired: int = 0
    loose_ff: float = 0.0
