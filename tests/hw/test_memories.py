import numpy as np
import pytest

from rowloom.hw.memories import Bank, Rom
from tests.hw.cycles import trace


@pytest.mark.parametrize("depth", [1, 2, 5, 16])
def test_rom_answers_two_cycles_later(depth):
    rng = np.random.default_rng(depth)
    init = rng.integers(0, 1 << 12, depth).tolist()
    addresses = rng.integers(0, depth, 40).tolist()
    seen = trace(Rom(width=12, init=init), [{"address": a} for a in addresses], ["data"], extra=2)
    assert [cycle["data"] for cycle in seen[2:]] == [init[a] for a in addresses]


def test_rom_of_logic_is_the_same():
    seen = trace(Rom(width=4, init=[3, 9, 6], logic=True), [{"address": a} for a in (2, 0, 1)], ["data"], extra=2)
    assert [cycle["data"] for cycle in seen[2:]] == [6, 3, 9]


@pytest.mark.parametrize("depth", [1, 6, 16])
def test_bank_gives_what_was_written_before(depth):
    """Two cycles after its address; a word that is written in that cycle is seen by the next read."""
    rng = np.random.default_rng(depth)
    contents = [0] * depth
    inputs, want = [], []
    for _ in range(200):
        read, write = (int(rng.integers(depth)) for _ in range(2))
        data, enable = int(rng.integers(256)), int(rng.integers(2))
        inputs.append({"read_address": read, "write_address": write, "write_data": data, "write_enable": enable})
        want.append(contents[read])
        if enable:
            contents[write] = data
    seen = trace(Bank(width=8, depth=depth), inputs, ["read_data"], extra=2)
    assert [cycle["read_data"] for cycle in seen[2:]] == want
