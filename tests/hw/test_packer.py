import numpy as np
import pytest

from rowloom.hw.packer import Packer
from tests.hw.cycles import trace


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
@pytest.mark.parametrize(("lanes", "drains"), [(8, 2), (6, 6), (5, 1), (12, 4)])
def test_words_fill_slot_by_slot_and_start_empty(lanes, drains, bits):
    rng = np.random.default_rng(lanes)
    inputs, want = [], {}
    width = drains * bits
    for _ in range(30):
        word = 0
        for slot in range(int(rng.integers(1, lanes // drains + 1))):
            while rng.random() < 0.3:
                inputs.append({"codes": (1 << width) - 1, "first": 1, "slot": int(rng.integers(lanes // drains))})
            codes = int(rng.integers(1 << width))
            word |= codes << (slot * width)
            inputs.append({"codes": codes, "enable": 1, "first": int(slot == 0), "slot": slot})
            want[len(inputs)] = word
    seen = trace(Packer(lanes=lanes, drains=drains, code_bits=bits), inputs, ["word"], extra=1)
    assert {at: seen[at]["word"] for at in want} == want
