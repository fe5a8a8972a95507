"""Post-processing without tables: the code is a quotient."""

from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LinearLane"]


class LinearLane(wiring.Component):
    """Counts the thresholds that a sum reaches where these lie on a line, by division: one bit a cycle.

    Bit for bit the ``starts`` and ``step`` of :mod:`rowloom.hw.mapping.lines`: with
    ``r = (sum - threshold) * 2^fraction + start`` the middle threshold is reached if ``r >= 0``, and each further
    bit i takes ``step * 2^i`` off r or adds it, so that r is 0 at the next threshold to ask for
    (non-restoring division). What is far outside of the line has all bits alike. The columns of a strip are in
    lock-step and share the filter's word.

    In a *bent* lane ``start`` is one of two, by the sign of ``sum - threshold``. In a *mended* one the sums
    ``mended_{k}`` of a filter are divided as if they were ``nudge_{k}`` greater. Of a *late* filter odd thresholds are
    reached only if ``r > 0``; these are what the last bit is found by.

    Latency
    -------
    ``levels`` cycles from ``word`` and ``sum_{q}`` to ``code_{q}``, one more if bent or mended; ``difference_{q}``
    comes with ``code_{q}``. Throughput one sum a cycle.

    Parameters
    ----------
    line : LineParameters
    sum_bits, levels, cols : int

    Members
    -------
    word : In
        Of the sums' filter, as :meth:`rowloom.hw.lane_parameters.LineParameters.fields`.
    sum_{q} : In(signed(sum_bits))
    code_{q} : Out(levels)
        The count of thresholds reached, its bits flipped where ``flip`` says.
    difference_{q} : Out(signed(sum_bits))
        ``sum_{q} - threshold``.

    References
    ----------
    Non-restoring division: Parhami, Computer Arithmetic, 2nd ed. 2010, section 13.4.
    """

    word: Signal

    def __init__(self, *, line, sum_bits, levels, cols):
        self.line = line
        self.sum_bits = sum_bits
        self.levels = levels
        self.cols = cols
        fields = line.fields(sum_bits=sum_bits, levels=levels)
        members = {"word": In(data.StructLayout({name: unsigned(bits) for name, bits in fields.items()}))}
        for q in range(cols):
            members |= {
                f"sum_{q}": In(signed(sum_bits)),
                f"code_{q}": Out(levels),
                f"difference_{q}": Out(signed(sum_bits)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        """Return the gates."""
        m = Module()
        line, top = self.line, self.levels - 1

        def later(value, cycles, name):
            for i in range(cycles):
                delayed = Signal(value.shape(), name=f"{name}_q{i + 1}", reset_less=True)
                m.d.sync += delayed.eq(value)
                value = delayed
            return value

        # Of a filter: each stage's step, and each bit's flip when the bit is there.
        first = 2 if line.turns else 1
        steps = [self.word.step]
        for i in range(first + top):
            steps.append(later(steps[-1], 1, f"step_{i}"))
        flips = {i: later(self.word.flip[i], first + top - i, f"flip_{i}") for i in range(self.levels)}
        late = later(self.word.late, first + top, "late") if line.late else Const(0, 1)
        if line.bent:
            starts = [later(self.word[f"start_{side}"], 1, f"start_{side}") for side in range(2)]
        else:
            start = later(self.word.start, 1, "start")

        def reached(remainder, i):
            on_line = late & ~remainder.any() if i == 0 else Const(0, 1)
            return ~remainder[-1] & ~on_line

        for q in range(self.cols):
            # Cycle 1: the difference.
            difference = Signal(signed(self.sum_bits), name=f"difference_{q}_q", reset_less=True)
            m.d.sync += difference.eq(getattr(self, f"sum_{q}") - self.word.threshold.as_signed())
            above = ~difference[-1]
            kept, beyond = difference[: line.kept_bits], difference[line.kept_bits - 1 :]
            far = beyond.any() & ~beyond.all() if line.kept_bits < self.sum_bits else Const(0, 1)

            # Cycle 1 if mended: is it one of the filter's sums?
            if line.mends:
                nudge = Signal(signed(line.nudge_bits), name=f"nudge_{q}", reset_less=True)
                given = getattr(self, f"sum_{q}").as_unsigned()
                hits = (
                    self.word[f"nudge_{k}"] & (given == self.word[f"mended_{k}"]).replicate(line.nudge_bits)
                    for k in range(line.mends)
                )
                m.d.sync += nudge.eq(reduce(or_, hits))

            # Cycle 2 if bent: the start; if mended: the nudge. Otherwise the start stands beside the difference.
            whole = kept.as_signed() + nudge if line.mends else kept
            scaled = Cat(Const(0, line.fraction) if line.bent else start, whole).as_signed()
            if line.bent:
                scaled = scaled + Mux(above, starts[1], starts[0]).as_signed()
            remainder = Signal(signed(line.remainder_bits), name=f"remainder_{q}_{top}", reset_less=True)
            m.d["sync" if line.turns else "comb"] += remainder.eq(scaled)
            if line.turns:
                above, far = later(above, 1, f"above_{q}_{top}"), later(far, 1, f"far_{q}_{top}")

            # A cycle a bit: off or on goes the step, at the bit's place.
            bits = [Mux(far, above, reached(remainder, top)) ^ flips[top]]
            for i in reversed(range(top)):
                less = ~remainder[-1]
                step = Cat(steps[first + top - 1 - i], Const(0, 1))
                total = Signal(line.remainder_bits - i + 1, name=f"total_{q}_{i}")
                change = Cat(less, (step ^ less.replicate(len(step))).as_signed()).as_signed()
                m.d.comb += total.eq(Cat(Const(1, 1), remainder[i:]).as_signed() + change)
                following = Signal(signed(line.remainder_bits), name=f"remainder_{q}_{i}", reset_less=True)
                m.d.sync += following.eq(Cat(remainder[:i], total[1:]))
                remainder = following
                above, far = later(above, 1, f"above_{q}_{i}"), later(far, 1, f"far_{q}_{i}")
                bits = [later(bit, 1, f"bit_{q}_{i}_{b}") for b, bit in enumerate(bits)]
                bits = [Mux(far, above, reached(remainder, i)) ^ flips[i], *bits]
            m.d.comb += [
                getattr(self, f"code_{q}").eq(Cat(*bits)),
                getattr(self, f"difference_{q}").eq(later(difference, first - 1 + top, f"difference_{q}")),
            ]
        return m
