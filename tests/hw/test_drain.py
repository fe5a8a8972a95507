import numpy as np
import pytest
from amaranth import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.drain import DrainControl, DrainLane
from tests.hw.cycles import trace


class Drain(wiring.Component):
    """A control with one lane."""

    def __init__(self):
        super().__init__({
            "captured": In(1), "steps": In(5), "rows": In(5), "row": In(signed(8)),
            "emit": Out(1), "shift": Out(1), "sum": Out(signed(8)),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.control = control = DrainControl(count_bits=5)
        m.submodules.lane = lane = DrainLane(shape=signed(8))
        m.d.comb += [
            control.captured.eq(self.captured), control.steps.eq(self.steps), control.rows.eq(self.rows),
            lane.shift.eq(control.shift), lane.shift_last.eq(control.shift_last), lane.row.eq(self.row),
            self.emit.eq(control.emit), self.shift.eq(control.shift), self.sum.eq(lane.sum),
        ]  # fmt: skip
        return m


@pytest.mark.parametrize(("rows", "groups"), [(1, 1), (1, 4), (3, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("idle", [0, 1, 5])
def test_groups_of_rows_are_added(rows, groups, idle):
    """Drains that follow each other at once or after idle cycles; a row comes a cycle after its announcement."""
    rng = np.random.default_rng(rows)
    period = rows * groups + idle
    values = rng.integers(-9, 10, (6, groups, rows))
    inputs = [
        {"captured": int(t % period == 0 and t < 6 * period), "steps": rows * groups - 1, "rows": rows - 1}
        for t in range(6 * period + 2)
    ]
    want, emits, shifts = {}, [], []
    for i, g, j in np.ndindex(values.shape):
        announced = i * period + g * rows + j
        inputs[announced + 1]["row"] = int(values[i, g, j])
        shifts.append(announced + 1)
        if j == rows - 1:
            emits.append(announced)
            want[announced + 2] = int(values[i, g].sum())
    seen = trace(Drain(), inputs, ["emit", "shift", "sum"], extra=1)
    assert [t for t, cycle in enumerate(seen) if cycle["emit"]] == emits
    assert [t for t, cycle in enumerate(seen) if cycle["shift"]] == shifts
    assert {t: seen[t]["sum"] for t in want} == want
