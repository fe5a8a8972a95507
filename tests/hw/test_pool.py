import numpy as np
import pytest

from rowloom.hw.pool import MaxPool
from tests.hw.cycles import trace
from tests.hw.units.words import pack


@pytest.mark.parametrize(
    ("group", "lanes", "bits", "is_signed"),
    [
        (1, 4, 1, False), (3, 4, 1, False), (2, 3, 4, False), (3, 2, 8, False),
        (1, 3, 2, True), (2, 3, 4, True), (3, 2, 8, True),
    ],
)  # fmt: skip
def test_maximum_of_each_lane_over_rows_and_taps(group, lanes, bits, is_signed):
    """Dead words among live ones, whose codes are often all negative."""
    rng = np.random.default_rng(group)
    least = -(1 << bits - 1) if is_signed else 0
    top = least + (1 << bits) - 1
    inputs, want, seen_dead = [], {}, 0
    for _ in range(60):
        length = int(rng.integers(1, 5))
        best = np.full(lanes, least)
        highest = int(rng.choice([top, (least + top) // 2])) if bits > 1 else 1
        for step in range(length):
            while rng.random() < 0.3:  # a cycle without a word
                inputs.append({f"stream_{j}": (1 << lanes * bits) - 1 for j in range(group)} | {"first": 1})
            codes = rng.integers(least, highest + 1, (group, lanes))
            live = rng.random(group) < 0.8
            seen_dead += int((~live).sum())
            codes[~live] = 0
            given = {f"stream_{j}": pack(row, bits) for j, row in enumerate(codes)}
            given |= {f"live_{j}": int(on) for j, on in enumerate(live)}
            inputs.append(given | {"active": 1, "first": int(not step)})
            best = np.maximum(best, np.where(live[:, None], codes, least).max(0))
        want[len(inputs)] = pack(best, bits)
    seen = trace(MaxPool(group=group, lanes=lanes, code_bits=bits, is_signed=is_signed), inputs, ["word"], extra=1)
    assert {at: seen[at]["word"] for at in want} == want
    assert seen_dead > 10
    assert len(set(want.values())) > 5
