"""Post-processing: from a sum to an activation code."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.memories import Bank, Rom

__all__ = ["STAGE", "ThresholdLane", "ThresholdStage"]

#: Cycles from one bit of a code to the next: the memory's two, and the comparison.
STAGE = 3


class ThresholdStage(wiring.Component):
    """Finds one bit of a code: whether the sum reaches the middle of what the bits before leave.

    Latency
    -------
    One cycle.

    Members
    -------
    sum, threshold : In(signed(sum_bits))
    reached : Out(1)
        ``sum >= threshold``.
    difference : Out(signed(sum_bits))
        ``sum - threshold``, the raw sum where the threshold holds the offset and the bias.
    """

    sum: Signal
    threshold: Signal
    reached: Signal
    difference: Signal

    def __init__(self, *, sum_bits):
        self.sum_bits = sum_bits
        super().__init__(
            {
                "sum": In(signed(sum_bits)),
                "threshold": In(signed(sum_bits)),
                "reached": Out(1),
                "difference": Out(signed(sum_bits)),
            }
        )

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        difference = Signal(signed(self.sum_bits))
        m.d.comb += difference.eq(self.sum - self.threshold)
        m.d.sync += [self.difference.eq(difference), self.reached.eq(~difference[-1])]
        return m


class ThresholdLane(wiring.Component):
    """Counts the thresholds that a sum reaches, by bisection: one stage a bit of the code.

    Bit for bit :class:`rowloom.model.post.Thresholds`: the schedule turns falling thresholds into
    rising ones and an inversion, and has folded the units' offsets into them.

    Latency
    -------
    ``3 * levels - 2`` cycles from ``sum`` to ``code``; ``difference`` after one cycle, delayed to
    come with ``code``. Throughput one sum a cycle.

    Parameters
    ----------
    sum_bits, levels : int
    tables : list of lists of int
        Thresholds of the stages from the second on: ``2^i`` a filter, as two's complement words.
    logic_bits : int
        Tables of at most so many bits are built from look-up tables.
    filters : int
        Filters that the tables hold where they are loaded, else 0.

    Members
    -------
    address : In
        Filter of the sum; comes with it.
    sum, threshold : In(signed(sum_bits))
        The sum, and its filter's threshold of the first stage.
    invert : In(1)
        The code falls with the sum; comes with the sum.
    base : In(levels)
        Least code, constant during a layer.
    code : Out(levels)
        ``base`` plus the count of thresholds reached, or of those not reached where inverted.
    difference : Out(signed(sum_bits))
        The raw sum.
    write_enable : In(levels)
        Write a word into the table of this stage; this and the next two only where tables are loaded.
    write_address, write_data : In
    """

    address: Signal
    sum: Signal
    threshold: Signal
    invert: Signal
    base: Signal
    code: Signal
    difference: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal

    def __init__(self, *, sum_bits, address_bits, levels, tables, logic_bits, filters=0):
        self.sum_bits = sum_bits
        self.levels = levels
        self.tables = tables
        self.logic_bits = logic_bits
        self.filters = filters
        members = {
            "address": In(address_bits),
            "sum": In(signed(sum_bits)),
            "threshold": In(signed(sum_bits)),
            "invert": In(1),
            "base": In(levels),
            "code": Out(levels),
            "difference": Out(signed(sum_bits)),
        }
        if filters:
            members |= {
                "write_enable": In(levels),
                "write_address": In(address_bits + levels - 1),
                "write_data": In(sum_bits),
            }
        super().__init__(members)

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()

        def later(value, cycles, name):
            for i in range(cycles):
                delayed = Signal.like(value, name=f"{name}_q{i + 1}", reset_less=True)
                m.d.sync += delayed.eq(value)
                value = delayed
            return value

        m.submodules.stage_0 = stage = ThresholdStage(sum_bits=self.sum_bits)
        m.d.comb += [stage.sum.eq(self.sum), stage.threshold.eq(self.threshold)]
        found = [stage.reached]
        total = later(self.sum, 1, "sum_0")
        address = later(self.address, 1, "address_0")
        invert = later(self.invert, 1, "invert_0")
        difference = stage.difference
        for i, table in enumerate(self.tables, start=1):
            # The bits so far pick the next threshold.
            read_address, read_data = self._table(m, i, table)
            m.submodules[f"stage_{i}"] = stage = ThresholdStage(sum_bits=self.sum_bits)
            total = later(total, STAGE - 1, f"sum_{i}")
            m.d.comb += [
                read_address.eq(Cat(*found, address)),
                stage.sum.eq(total),
                stage.threshold.eq(read_data.as_signed()),
            ]
            found = [stage.reached, *(later(bit, STAGE, f"found_{i}_{b}") for b, bit in enumerate(found))]
            total = later(total, 1, f"sum_{i}_last")
            address = later(address, STAGE, f"address_{i}")
            invert = later(invert, STAGE, f"invert_{i}")
            difference = later(difference, STAGE, f"difference_{i}")
        count = Cat(*found) ^ invert.replicate(self.levels)
        m.d.comb += [
            self.code.eq(count if self.levels == 1 else count + self.base),
            self.difference.eq(difference),
        ]
        return m

    def _table(self, m, i, table):
        """Address and word of the thresholds of stage i."""
        if not self.filters:
            logic = self.sum_bits * len(table) <= self.logic_bits
            m.submodules[f"table_{i}"] = rom = Rom(width=self.sum_bits, init=table, logic=logic)
            return rom.address, rom.data
        m.submodules[f"table_{i}"] = bank = Bank(width=self.sum_bits, depth=self.filters << i, init=table)
        m.d.comb += [
            bank.write_enable.eq(self.write_enable[i]),
            bank.write_address.eq(self.write_address),
            bank.write_data.eq(self.write_data),
        ]
        return bank.read_address, bank.read_data
