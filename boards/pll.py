"""The core's clock: a PLL and a reset that lasts until it has locked."""

from collections.abc import Iterator
from dataclasses import dataclass

from amaranth.build import Platform
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Out

from rowloom.boards.board import Board, Family
from rowloom.model.errors import RowloomError

# Frequencies in MHz, from the tables "sysCLOCK PLL Timing" (Lattice FPGA-DS-02012, ECP5 family data sheet) and
# "sysCLOCK PLL Timing" (Lattice FPGA-DS-02008, iCE40 UltraPlus family data sheet).
_ECP5_INPUT, _ECP5_OUTPUT, _ECP5_PFD, _ECP5_VCO = (8.0, 400.0), (3.125, 400.0), (3.125, 400.0), (400.0, 800.0)
_ICE40_INPUT, _ICE40_OUTPUT, _ICE40_PFD, _ICE40_VCO = (10.0, 133.0), (16.0, 275.0), (10.0, 133.0), (533.0, 1066.0)

# Upper bounds in MHz of the phase detector's frequency for FILTER_RANGE 1, 2, ... (Lattice FPGA-TN-02052, as `icepll`).
_ICE40_FILTER_BOUNDS = (17.0, 26.0, 44.0, 66.0, 101.0)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] - 1e-9 <= value <= limits[1] + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecp5Dividers:
    """Settings of an EHXPLLL that feeds its first output back.

    output = input / ``input_div`` * ``feedback_div``, and the oscillator runs at output * ``output_div``.
    """

    input_div: int
    feedback_div: int
    output_div: int

    def output_mhz(self, input_mhz: float) -> float:
        """Return the output frequency, MHz."""
        return input_mhz / self.input_div * self.feedback_div

    def vco_mhz(self, input_mhz: float) -> float:
        """Return the frequency of the oscillator, MHz."""
        return self.output_mhz(input_mhz) * self.output_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Ice40Dividers:
    """Settings of an SB_PLL40 with simple feedback.

    output = input * (``divf`` + 1) / ((``divr`` + 1) * 2 ** ``divq``).
    """

    divr: int
    divf: int
    divq: int
    filter_range: int

    def output_mhz(self, input_mhz: float) -> float:
        """Return the output frequency, MHz."""
        return self.vco_mhz(input_mhz) / (1 << self.divq)

    def vco_mhz(self, input_mhz: float) -> float:
        """Return the frequency of the oscillator, MHz."""
        return input_mhz / (self.divr + 1) * (self.divf + 1)


def _ecp5_candidates(input_mhz: float, output_mhz: float) -> Iterator[Ecp5Dividers]:
    for input_div in range(1, 129):
        if not _within(input_mhz / input_div, _ECP5_PFD):
            continue
        for feedback_div in range(1, 81):
            output = input_mhz / input_div * feedback_div
            if not _within(output, _ECP5_OUTPUT) or abs(output - output_mhz) > 0.1 * output_mhz:
                continue
            for output_div in range(1, 129):
                if _within(output * output_div, _ECP5_VCO):
                    yield Ecp5Dividers(input_div=input_div, feedback_div=feedback_div, output_div=output_div)


def ecp5_dividers(input_mhz: float, output_mhz: float) -> Ecp5Dividers:
    """Choose the dividers of an EHXPLLL for an output as near as possible to ``output_mhz``.

    Of equally near ones the fastest phase detector wins, then an oscillator near the middle of its range (600 MHz).

    Raises
    ------
    RowloomError
        If no setting comes within 1 % of ``output_mhz``.
    """
    candidates = _ecp5_candidates(input_mhz, output_mhz) if _within(input_mhz, _ECP5_INPUT) else ()
    best = min(
        candidates,
        key=lambda d: (
            round(abs(d.output_mhz(input_mhz) - output_mhz), 9),
            d.input_div,
            abs(d.vco_mhz(input_mhz) - 600),
        ),
        default=None,
    )
    if best is None or abs(best.output_mhz(input_mhz) - output_mhz) > 0.01 * output_mhz:
        raise RowloomError(
            f"clock of {output_mhz:g} MHz",
            f"an ECP5 PLL cannot make it from {input_mhz:g} MHz",
            f"ask for {_ECP5_OUTPUT[0]:g} to {_ECP5_OUTPUT[1]:g} MHz",
        )
    return best


def _ice40_candidates(input_mhz: float) -> Iterator[Ice40Dividers]:
    for divr in range(16):
        pfd = input_mhz / (divr + 1)
        if not _within(pfd, _ICE40_PFD):
            continue
        filter_range = 1 + sum(pfd >= bound for bound in _ICE40_FILTER_BOUNDS)
        for divf in range(128):
            if not _within(pfd * (divf + 1), _ICE40_VCO):
                continue
            for divq in range(1, 7):
                if _within(pfd * (divf + 1) / (1 << divq), _ICE40_OUTPUT):
                    yield Ice40Dividers(divr=divr, divf=divf, divq=divq, filter_range=filter_range)


def ice40_dividers(input_mhz: float, output_mhz: float) -> Ice40Dividers:
    """Choose the settings of an SB_PLL40 for an output as near as possible to ``output_mhz``.

    Raises
    ------
    RowloomError
        If no setting comes within 1 % of ``output_mhz``.
    """
    best = min(
        _ice40_candidates(input_mhz) if _within(input_mhz, _ICE40_INPUT) else (),
        key=lambda d: (round(abs(d.output_mhz(input_mhz) - output_mhz), 9), d.divr, d.divf),
        default=None,
    )
    if best is None or abs(best.output_mhz(input_mhz) - output_mhz) > 0.01 * output_mhz:
        raise RowloomError(
            f"clock of {output_mhz:g} MHz",
            f"an iCE40 PLL cannot make it from {input_mhz:g} MHz",
            f"ask for {_ICE40_OUTPUT[0]:g} to {_ICE40_OUTPUT[1]:g} MHz",
        )
    return best


def core_clock_mhz(board: Board, wanted_mhz: float) -> float:
    """Return the frequency nearest to ``wanted_mhz`` that the PLL of ``board`` can make, MHz."""
    if board.family is Family.ECP5:
        return ecp5_dividers(board.clock_mhz, wanted_mhz).output_mhz(board.clock_mhz)
    return ice40_dividers(board.clock_mhz, wanted_mhz).output_mhz(board.clock_mhz)


class ClockGenerator(wiring.Component):
    """Makes a board's clock and reset: a PLL from its oscillator.

    nextpnr derives the clock's constraint from that of the oscillator and the settings of the PLL. The reset lasts
    until the PLL has locked and ``RESET_CYCLES`` more have passed: block RAMs of iCE40 read as zero for some 3 us
    after configuration, and the delay is longer than 15 us at any clock up to 130 MHz.

    Parameters
    ----------
    board : :class:`rowloom.boards.board.Board`
        Whose oscillator and family.
    core_mhz : float
        Wanted frequency, MHz; the attribute is the one that comes out, see :func:`core_clock_mhz`.

    Members
    -------
    clock, reset : Out(1)
        What drives the core's clock domain.

    Raises
    ------
    RowloomError
        If the PLL cannot make that clock.
    """

    RESET_CYCLES = 2048

    clock: Signal
    reset: Signal

    def __init__(self, board: Board, core_mhz: float) -> None:
        self.board = board
        self.core_mhz = core_clock_mhz(board, core_mhz)
        super().__init__({"clock": Out(1), "reset": Out(1, init=1)})

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates; needs the platform of the board."""
        m = Module()
        oscillator = platform.request(platform.default_clk, dir="-")
        locked = Signal()
        if self.board.family is Family.ECP5:
            m.submodules.clock_buffer = buffer = io.Buffer("i", oscillator)
            m.submodules.pll = self._ecp5_pll(buffer.i, locked)
        else:
            m.submodules.pll = self._ice40_pll(oscillator, locked)

        # "locked" runs as soon as the PLL has locked; it only counts the rest of the reset.
        m.domains.locked = ClockDomain("locked", local=True)
        m.d.comb += ClockSignal("locked").eq(self.clock)
        m.submodules.lock_sync = ResetSynchronizer(~locked, domain="locked")
        left = Signal(range(self.RESET_CYCLES + 1), init=self.RESET_CYCLES)
        with m.If(left != 0):
            m.d.locked += left.eq(left - 1)
        m.d.locked += self.reset.eq(left != 0)
        return m

    def _ecp5_pll(self, oscillator: Signal, locked: Signal) -> Instance:
        dividers = ecp5_dividers(self.board.clock_mhz, self.core_mhz)
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.board.clock_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.core_mhz:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=dividers.output_div - 1,
            p_CLKOP_FPHASE=0,
            p_CLKI_DIV=dividers.input_div,
            p_CLKFB_DIV=dividers.feedback_div,
            p_CLKOP_DIV=dividers.output_div,
            p_FEEDBK_PATH="CLKOP",
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            i_CLKI=oscillator,
            i_CLKFB=self.clock,
            o_CLKOP=self.clock,
            o_LOCK=locked,
        )

    def _ice40_pll(self, oscillator: io.PortLike, locked: Signal) -> Instance:
        dividers = ice40_dividers(self.board.clock_mhz, self.core_mhz)
        return Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=dividers.divr,
            p_DIVF=dividers.divf,
            p_DIVQ=dividers.divq,
            p_FILTER_RANGE=dividers.filter_range,
            i_RESETB=1,
            i_BYPASS=0,
            i_PACKAGEPIN=oscillator.io,
            o_PLLOUTGLOBAL=self.clock,
            o_LOCK=locked,
        )
