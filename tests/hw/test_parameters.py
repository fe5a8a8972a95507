import pytest

from tests.hw.machines import array_parameters, hardware


@pytest.mark.parametrize(("depth", "bits"), [(1, 1), (2, 1), (3, 2), (64, 6), (65, 7)])
def test_an_address_reaches_every_word(depth, bits):
    assert hardware(bank_depth=depth).address_bits == bits
    assert hardware(threshold_depth=depth).threshold_address_bits == bits
    assert hardware(arrays=(array_parameters(weight_depth=depth),)).weight_address_bits == bits


@pytest.mark.parametrize(("banks", "bits"), [(2, 1), (4, 2), (16, 4)])
def test_a_bank_number(banks, bits):
    assert hardware(banks=banks).bank_bits == bits


def test_the_deepest_weight_memory_counts():
    arrays = (array_parameters(weight_depth=9), array_parameters(weight_depth=200))
    assert hardware(arrays=arrays).weight_address_bits == 8


def test_the_pooling_path_is_the_last_engine():
    two = hardware(arrays=(array_parameters(), array_parameters(unit="sign")))
    assert (two.engines, two.pool) == (3, 2)
