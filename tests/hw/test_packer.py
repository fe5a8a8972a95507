import numpy as np
import pytest

from rowloom.hw.packer import Packer
from tests.hw.cycles import trace


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
@pytest.mark.parametrize(
    ("lanes", "drains", "wide"), [(8, 2, 2), (6, 6, 6), (5, 1, 1), (12, 4, 4), (8, 1, 4), (12, 2, 12), (12, 2, 6)]
)
@pytest.mark.parametrize("spread", [0, 1])
def test_words_fill_slot_by_slot_and_start_empty(lanes, drains, wide, spread, bits):
    together = wide if spread else drains
    rng = np.random.default_rng(lanes)
    inputs, want = [], {}
    width = together * bits
    beyond = ((1 << wide * bits) - 1) & -(1 << width)  # codes of lanes that do not count
    layer = {"spread": spread} if wide > drains else {}
    for _ in range(30):
        word = 0
        for slot in range(int(rng.integers(1, lanes // together + 1))):
            while rng.random() < 0.3:
                idle = int(rng.integers(lanes // together))
                inputs.append({"codes": (1 << width) - 1, "first": 1, "slot": idle, **layer})
            codes = int.from_bytes(rng.bytes(-(-width // 8)), "little") & ((1 << width) - 1)
            word |= codes << (slot * width)
            inputs.append({"codes": codes | beyond, "enable": 1, "first": int(slot == 0), "slot": slot, **layer})
            want[len(inputs)] = word
    seen = trace(Packer(lanes=lanes, drains=drains, wide=wide, code_bits=bits), inputs, ["word"], extra=1)
    assert {at: seen[at]["word"] for at in want} == want
