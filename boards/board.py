"""What a board is: its device, how much of everything that has, and its clock."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

from amaranth.build import Platform

from rowloom.hw.mapping.cost import Dsp


class Family(enum.Enum):
    """A family of FPGAs, named as nextpnr names it."""

    ECP5 = "ecp5"
    ICE40 = "ice40"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Counts of what a device has or a design uses.

    Attributes
    ----------
    lut4 : int
        Four-input look-up tables; a carry cell of ECP5 (two bits) counts as two.
    ff : int
        Flip-flops.
    bram : int
        Block RAMs, each of :attr:`Board.bram_block_bits`.
    dsp : int
        Multiplier blocks: MULT18X18D on ECP5, SB_MAC16 on iCE40.
    spram : int
        Single-port RAMs of 256 Kbit (iCE40 UltraPlus only).
    """

    lut4: int
    ff: int
    bram: int
    dsp: int
    spram: int

    def to_json(self) -> dict[str, int]:
        """Return the counts under the names that `rowloom build --json` promises."""
        return {"lut4": self.lut4, "ff": self.ff, "bram": self.bram, "dsp": self.dsp, "spram": self.spram}


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board that rowloom can build for.

    Attributes
    ----------
    name : str
        What a user types.
    title : str
        What is printed on the board.
    family, device, package : Family, str, str
        The FPGA, as its maker names it.
    resources : Resources
        All that the device has.
    bram_block_bits, bram_block_width : int, int
        Usable bits of one block RAM, and its widest word.
    dsp : Dsp
        What a multiplier block holds.
    clock_mhz : float
        The oscillator on the board, input of the PLL.
    core_mhz : float
        The clock that the accelerator is built for unless another is asked for.
    nextpnr : tuple of str
        The options by which nextpnr knows the device.
    baud : int
        Bits a second of the serial line.
    platform : callable returning :class:`amaranth.build.Platform`
        A fresh platform with the board's pins and multipliers (:mod:`rowloom.boards.dsp`); a build uses one up.

    Raises
    ------
    ValueError
        If a clock or the baud rate is not positive.
    """

    name: str
    title: str
    family: Family
    device: str
    package: str
    resources: Resources
    bram_block_bits: int
    bram_block_width: int
    dsp: Dsp
    clock_mhz: float
    core_mhz: float
    nextpnr: tuple[str, ...]
    baud: int = 1_000_000
    platform: Callable[[], Platform]

    def __post_init__(self) -> None:
        for field in ("clock_mhz", "core_mhz", "baud"):
            if getattr(self, field) <= 0:
                raise ValueError(f"{field} of board {self.name} must be positive, not {getattr(self, field)!r}")

    @property
    def bram_bits(self) -> int:
        """All bits of block RAM."""
        return self.resources.bram * self.bram_block_bits
