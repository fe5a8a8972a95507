from dataclasses import replace

import pytest

from rowloom.hw import Budget
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cost import Bram, estimate
from rowloom.hw.mapping.fit import NEAR, fit
from rowloom.model.encodings import Binary
from rowloom.model.errors import DoesNotFit, RowloomError
from tests.hw.networks import Conv, Dense, Pool, make_network

NETWORK = make_network([Conv(filters=9), Pool(), Conv(filters=16), Dense(filters=10)], shape=(16, 16, 1))
DEVICE = Budget(
    lut4=20_000, ff=20_000, bram_blocks=56, bram_block_bits=18_432, bram_block_width=36, dsp=28, clock_mhz=50.0
)
BRAM = Bram(bits=DEVICE.bram_block_bits, width=DEVICE.bram_block_width)


def made(goal, budget=DEVICE):
    return compile_network(NETWORK, fit(NETWORK, budget, goal))


@pytest.mark.parametrize("goal", ["throughput", "latency", "size"])
def test_what_is_chosen_fits(goal):
    cost = estimate(made(goal).hardware, BRAM)
    assert cost.lut4 <= DEVICE.lut4
    assert cost.ff <= DEVICE.ff
    assert cost.bram <= DEVICE.bram_blocks


def test_each_goal_is_best_at_its_own():
    fast, small = made("throughput"), made("size")
    assert fast.cycles < small.cycles
    assert estimate(small.hardware, BRAM).lut4 < estimate(fast.hardware, BRAM).lut4
    assert made("latency").cycles == fast.cycles


def test_a_larger_device_is_never_slower():
    halved = replace(DEVICE, lut4=DEVICE.lut4 // 3)
    assert made("throughput").cycles <= made("throughput", halved).cycles


def test_what_fits_nowhere_is_told_with_numbers():
    with pytest.raises(DoesNotFit, match=r"^random: .*\d"):
        fit(NETWORK, replace(DEVICE, lut4=100), "throughput")
    with pytest.raises(DoesNotFit, match=r"^random: .*\d"):
        fit(NETWORK, replace(DEVICE, ff=50), "size")


def test_goals_are_named():
    with pytest.raises(RowloomError, match=r"^goal: must be one of .*throughput.*, not 'speed'$"):
        fit(NETWORK, DEVICE, "speed")


def test_bit_planes_are_weighed_by_the_goal():
    """Each way is a candidate of its own; a network without layers of several bits has no ways."""
    assert fit(NETWORK, DEVICE, "size").planes in ("never", "always")
    for planes in ("never", "always"):
        assert fit(NETWORK, DEVICE, "size", planes).planes == planes
    sizes = [compile_network(NETWORK, fit(NETWORK, DEVICE, "size", p)).cost.lut4 for p in ("auto", "never", "always")]
    assert sizes[0] <= NEAR * min(sizes[1:])
    binary = make_network([Conv(filters=9), Dense(filters=4)], shape=(8, 8, 1), encoding=Binary())
    assert fit(binary, DEVICE, "size").planes == "auto"


def test_weights_beyond_all_memory_are_told_at_once():
    network = make_network([Dense(filters=1000)], shape=(16, 16, 8))
    with pytest.raises(DoesNotFit, match=r"weights take 2,048,000 bits, where 2 block RAMs hold 36,864, choose"):
        fit(network, replace(DEVICE, bram_blocks=2))
