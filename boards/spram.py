"""The single-port RAMs of iCE40 UltraPlus, behind the members of a memory of one port."""

from amaranth.hdl import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Mux, Signal

from rowloom.hw.memories import SinglePort

__all__ = ["SpramPlatform"]

#: Bits of a word of a block, and words.
WIDTH, DEPTH = 16, 1 << 14


class SpramPlatform:
    """Mixed into a platform of iCE40 UltraPlus: memories of one port in SB_SPRAM256KA, as long as there are any.

    References
    ----------
    Lattice, "iCE40 SPRAM Usage Guide", FPGA-TN-02022: ports, and that contents are undefined at first.
    """

    sprams: int

    def get_single_port(self, memory: SinglePort) -> Elaboratable | None:
        """Return blocks side by side, and one above the other; None if too few are left."""
        wide, deep = -(-memory.width // WIDTH), -(-memory.depth // DEPTH)
        if self.sprams < wide * deep:
            return None
        self.sprams -= wide * deep
        m = Module()
        address = Signal.like(memory.read_address, name="address")
        m.d.comb += address.eq(Mux(memory.write_enable, memory.write_address, memory.read_address))
        low, high = address[: DEPTH.bit_length() - 1], address[DEPTH.bit_length() - 1 :]
        shown = Signal(range(max(2, deep)))  # which of those above each other answers
        m.d.sync += shown.eq(high)
        words = []
        for level in range(deep):
            word = Signal(wide * WIDTH, name=f"word_{level}")
            here = (high == level) if deep > 1 else Const(1, 1)
            for part in range(wide):
                m.submodules[f"spram_{level}_{part}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal(),
                    i_ADDRESS=Cat(low, Const(0, 14 - len(low))) if len(low) < 14 else low,
                    i_DATAIN=_padded(memory.write_data[part * WIDTH : (part + 1) * WIDTH]),
                    i_MASKWREN=Const(15, 4),
                    i_WREN=memory.write_enable & here,
                    i_CHIPSELECT=Const(1, 1),
                    i_STANDBY=Const(0, 1),
                    i_SLEEP=Const(0, 1),
                    i_POWEROFF=Const(1, 1),  # low cuts the power
                    o_DATAOUT=word[part * WIDTH : (part + 1) * WIDTH],
                )
            words.append(word)
        chosen = words[0]
        for level, word in enumerate(words[1:], start=1):
            chosen = Mux(shown == level, word, chosen)
        m.d.sync += memory.read_data.eq(chosen)
        return m


def _padded(bits: Signal) -> Cat:
    """A word of a block with these low bits."""
    return Cat(bits, Const(0, WIDTH - len(bits))) if len(bits) < WIDTH else Cat(bits)
