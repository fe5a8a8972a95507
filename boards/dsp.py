"""The multiplier blocks of each family, behind the members of a pair of multipliers."""

from amaranth.hdl import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Signal, Value

from rowloom.hw.mapping.cost import Dsp
from rowloom.hw.units.pair import MultiplierPair

MAC16 = Dsp(widest=16, paired=8)
"""SB_MAC16 of iCE40 UltraPlus: one product of 16-bit operands, or two of 8-bit ones."""

MULT18 = Dsp(widest=17, paired=0)
"""MULT18X18D of ECP5: one product of operands of 18 bits with a sign, so of 17 whatever the sign."""


RESERVED = 1
"""Blocks that synthesis itself takes: for the address of a row."""


class _Blocks:
    """Gives away the blocks of a device; when none are left, further products go into look-up tables.

    Parameters
    ----------
    kind : Dsp
    blocks : int
        What the device has.
    """

    kind: Dsp
    blocks: int

    def take(self, pair: MultiplierPair) -> int:
        """Return the products that a block holds, having taken as many as the pair needs; 0 if there are none."""
        products = self.kind.products(*(shape.width for shape in pair.shapes))
        needed = 2 // products if products else 0
        if self.blocks - RESERVED < needed:
            return 0
        self.blocks -= needed
        return products


class Mac16Platform(_Blocks):
    """Mixed into a platform of iCE40 UltraPlus: pairs of multipliers in SB_MAC16.

    References
    ----------
    Lattice, "DSP Function Usage Guide for iCE40 Devices", FPGA-TN-02007, figure 2: what the registers and
    selections below are.
    """

    kind = MAC16

    def get_multiplier_pair(self, pair: MultiplierPair) -> Elaboratable | None:
        """Return a block for both products, or one for each; None where look-up tables do better or none are left."""
        products = self.take(pair)
        if products == 0:
            return None
        m = Module()
        if products == 2:
            (a0, b0, p0), (a1, b1, p1) = pair.lanes
            out = _mac16(m, "pair", pair, Cat(_to(a0, 8), _to(a1, 8)), Cat(_to(b0, 8), _to(b1, 8)), paired=True)
            m.d.comb += [p0.eq(out[:16]), p1.eq(out[16:])]
            return m
        for i, (a, b, product) in enumerate(pair.lanes):
            m.d.comb += product.eq(_mac16(m, f"product_{i}", pair, _to(a, 16), _to(b, 16), paired=False))
        return m


def _mac16(m: Module, name: str, pair: MultiplierPair, a: Value, b: Value, *, paired: bool) -> Signal:
    """Add a block; return its output, ``pair.stages`` cycles after its inputs."""
    inner = 2 if paired else min(pair.stages, 3)  # operands, 8 x 8 products, and their sum of 32 bits
    added = pair.stages > inner  # the product passes the adder, beside a zero, into the output's register
    registers = {
        "A_REG": True, "B_REG": True, "TOP_8x8_MULT_REG": True, "BOT_8x8_MULT_REG": True,
        "PIPELINE_16x16_MULT_REG1": not paired, "PIPELINE_16x16_MULT_REG2": inner == 3,
        "MODE_8x8": paired, "A_SIGNED": pair.shapes[0].signed, "B_SIGNED": pair.shapes[1].signed,
        "TOPADDSUB_UPPERINPUT": True, "BOTADDSUB_UPPERINPUT": True,
    }  # fmt: skip
    selections = {
        "OUTPUT_SELECT": 1 if added else 2 if paired else 3, "ADDSUB_LOWERINPUT": 1 if paired else 2,
        "ADDSUB_CARRYSELECT": 0,
    }  # fmt: skip
    out = Signal(32, name=f"{name}_out")
    m.submodules[name] = Instance(
        "SB_MAC16",
        **{f"p_{parameter}": Const(value, 1) for parameter, value in registers.items()},
        **{f"p_{half}{what}": Const(value, 2) for half in ("TOP", "BOT") for what, value in selections.items()},
        i_CLK=ClockSignal(),
        i_CE=Const(1, 1),
        i_A=a,
        i_B=b,
        i_C=Const(0, 16),
        i_D=Const(0, 16),
        **{f"i_{pin}": Const(0, 1) for pin in _MAC16_LOW},
        o_O=out,
    )
    return out


_MAC16_LOW = (
    "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT",
    "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN",
)  # fmt: skip


class Mult18Platform(_Blocks):
    """Mixed into a platform of ECP5: each multiplier of a pair in a MULT18X18D.

    References
    ----------
    Lattice, "ECP5 and ECP5-5G sysDSP Usage Guide", FPGA-TN-02205, section 5.1: input, pipeline and output registers.
    """

    kind = MULT18

    def get_multiplier_pair(self, pair: MultiplierPair) -> Elaboratable | None:
        """Return a block for each product; None where look-up tables do better or none are left."""
        if self.take(pair) == 0:
            return None
        m = Module()
        for i, (a, b, product) in enumerate(pair.lanes):
            out = Signal(36, name=f"out_{i}")
            m.submodules[f"product_{i}"] = _mult18(pair, _to(a, 18), _to(b, 18), out)
            for stage in range(3, pair.stages):
                late = Signal(36, name=f"out_{i}_q{stage}", reset_less=True)
                m.d.sync += late.eq(out)
                out = late
            m.d.comb += product.eq(out)
        return m


def _mult18(pair: MultiplierPair, a: Value, b: Value, out: Signal) -> Instance:
    registers = ("INPUTA", "INPUTB", *(("PIPELINE",) if pair.stages >= 3 else ()), "OUTPUT")
    return Instance(
        "MULT18X18D",
        **{f"p_REG_{register}_CLK": "CLK0" for register in registers},
        i_CLK0=ClockSignal(),
        i_CE0=Const(1, 1),
        i_RST0=Const(0, 1),
        i_SIGNEDA=Const(1, 1),
        i_SIGNEDB=Const(1, 1),
        i_SOURCEA=Const(0, 1),
        i_SOURCEB=Const(0, 1),
        **{f"i_{side}{bit}": value[bit] for side, value in (("A", a), ("B", b)) for bit in range(18)},
        **{f"i_C{bit}": Const(0, 1) for bit in range(18)},
        **{f"o_P{bit}": out[bit] for bit in range(36)},
    )


def _to(value: Signal, bits: int) -> Value:
    """``value`` in so many bits, its sign extended if it has one."""
    extension = value[-1] if value.shape().signed else Const(0, 1)
    return Cat(value, extension.replicate(bits - len(value)))
