"""The carry chains of ECP5, as counters."""

from amaranth.hdl import Cat, Const, Elaboratable, Instance, Module, Signal

from rowloom.hw.units.triples import Triples

#: One that only generates: its two inputs' product goes into the chain, and what comes out of the chain to the output.
_GENERATE = {True: 0x0006, False: 0x0008}

#: A full adder of two products and the chain. Generation is the table's low four bits, where the second product is 0.
_ADD = {True: 0x6996, False: 0x7888}


class CarryPlatform:
    """Mixed into a platform of ECP5: three products of bits counted in two of its carry cells' halves.

    The first half of a cell sends a product of the third lane down the chain, while its output shows
    what came out of the group before. The second half adds the products of two more lanes to it.
    A carry never passes a first half, so that the chain is as fast as one cell.

    References
    ----------
    Lattice, "ECP5 and ECP5-5G Family Data Sheet", FPGA-DS-02012, section 2.2: slices in ripple mode.
    """

    def get_triples(self, triples: Triples) -> Elaboratable:
        """Return a chain of one cell for each three lanes, and one more."""
        m = Module()
        generate, add = _GENERATE[triples.xor], _ADD[triples.xor]
        chain: Signal | None = None
        carries, sums = [], []
        for group in range(triples.groups + 1):
            last = group == triples.groups
            lanes = [3 * group + i for i in range(3)]
            a, b = (
                [Const(0, 1)] * 3 if last else [side[lane] for lane in lanes]
                for side in (triples.first, triples.second)
            )
            carry, total, out = (
                Signal(name=f"carry_{group}"),
                Signal(name=f"sum_{group}"),
                Signal(name=f"chain_{group}"),
            )
            m.submodules[f"cell_{group}"] = Instance(
                "CCU2C",
                p_INIT0=Const(generate, 16),
                p_INIT1=Const(add, 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_A0=a[2],
                i_B0=b[2],
                i_C0=Const(1, 1),
                i_D0=Const(1, 1),
                i_A1=a[0],
                i_B1=b[0],
                i_C1=a[1],
                i_D1=b[1],
                **({} if chain is None else {"i_CIN": chain}),
                o_S0=carry,
                o_S1=total,
                o_COUT=out,
            )
            chain = out
            carries.append(carry)
            sums.append(total)
        m.d.comb += triples.counts.eq(Cat(bit for pair in zip(sums[:-1], carries[1:], strict=True) for bit in pair))
        return m
