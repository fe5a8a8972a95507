import numpy as np
import pytest

from rowloom.hw.pool import MaxPool
from tests.hw.cycles import trace


@pytest.mark.parametrize(("group", "lanes", "bits"), [(1, 4, 1), (3, 4, 1), (2, 3, 4), (3, 2, 8)])
def test_maximum_of_each_lane_over_rows_and_taps(group, lanes, bits):
    rng = np.random.default_rng(group)
    inputs, want = [], {}
    for _ in range(40):
        length = int(rng.integers(1, 5))
        best = np.zeros(lanes, np.int64)
        for step in range(length):
            while rng.random() < 0.3:  # a cycle without a word
                inputs.append({f"stream_{j}": (1 << lanes * bits) - 1 for j in range(group)} | {"first": 1})
            codes = rng.integers(0, 1 << bits, (group, lanes))
            codes[rng.random(group) < 0.2] = 0
            words = [sum(int(c) << (i * bits) for i, c in enumerate(row)) for row in codes]
            inputs.append({f"stream_{j}": word for j, word in enumerate(words)} | {"active": 1, "first": int(not step)})
            best = np.maximum(best, codes.max(0))
        want[len(inputs)] = sum(int(c) << (i * bits) for i, c in enumerate(best))
    seen = trace(MaxPool(group=group, lanes=lanes, code_bits=bits), inputs, ["word"], extra=1)
    assert {at: seen[at]["word"] for at in want} == want
