import re
from dataclasses import replace

import pytest

from rowloom.hw import ArrayConfig, compile_for, compile_together
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.capacity import misfits
from rowloom.model.encodings import Binary
from rowloom.model.errors import DoesNotFit, RowloomError
from tests.hw.networks import Conv, Dense, Pool, make_network
from tests.hw.test_overlay import binary, config, designs, larger, ternary

PAD = (1, 1, 1, 1)


def test_one_network_gets_what_it_would_alone():
    network = binary()
    (together,) = compile_together([network], config(load_bits=16))
    alone = compile_network(network, config(load_bits=16))
    assert together.hardware == replace(alone.hardware, result_codes=())  # only sums leave
    assert together.images.weights == alone.images.weights


def test_what_was_built_for_a_network_runs_it_again_with_equal_contents():
    design = compile_network(binary(), config(load_bits=16))
    again = compile_for(binary(), design.built)
    assert (again.hardware, again.images) == (design.hardware, design.images)
    assert [plan.cycles for plan in again.layers] == [plan.cycles for plan in design.layers]


def test_each_network_fits_what_was_built_for_all():
    for design in designs("binary"):
        assert compile_for(design.network, design.built).hardware == design.hardware


def test_tells_all_that_a_network_lacks():
    built = compile_network(binary(), config(load_bits=8)).built
    with pytest.raises(DoesNotFit) as caught:
        compile_for(larger(), built)
    has = built.hardware
    for text in (
        r"random: does not fit the hardware: ",
        rf"words in each activation bank, there are {has.bank_depth}",
        rf"words in each threshold memory, there are {has.threshold_depth}",
        rf"words in each weight memory, there are {has.arrays[1].weight_depth}",
        r"build one for this network too: rowloom\.compile\(\[\.\.\.\], config\), in the shell --with$",
    ):
        assert re.search(text, str(caught.value)), text
    with pytest.raises(DoesNotFit, match=r"needs the ternary array for .*, there is none"):
        compile_for(ternary(), built)


def test_a_need_grown_by_one_is_told_with_numbers():
    built = compile_network(binary(), config(load_bits=8)).built
    hw = built.hardware
    short = replace(built, hardware=replace(hw, bank_depth=hw.bank_depth - 1, layers=hw.layers - 1))
    needs = hw.bank_depth
    # without room for the next image fewer words would do, but not fewer layers
    with pytest.raises(DoesNotFit, match=rf"needs {hw.layers} layers, the program memory has room for {hw.layers - 1}"):
        compile_for(binary(), short)
    assert misfits(hw, short.hardware)[0] == f"needs {needs} words in each activation bank, there are {needs - 1}"


def test_what_has_its_weights_built_in_takes_no_other_network():
    built = compile_network(binary(), config()).built
    with pytest.raises(RowloomError, match=r"^hardware: has its program and weights built in, build it with load_bits"):
        compile_for(binary(), built)


def test_several_networks_need_a_port():
    with pytest.raises(RowloomError, match=r"^load_bits: must not be 0 for several networks"):
        compile_together([binary()], config())
    with pytest.raises(RowloomError, match=r"^networks: there must be at least one"):
        compile_together([], config(load_bits=8))


def test_inputs_of_other_codes_do_not_share_an_accelerator():
    other = make_network([Conv(filters=4), Dense(filters=2)], shape=(6, 6, 9), encoding=Binary())
    with pytest.raises(RowloomError, match="input of 1 bit codes, it has 8 bits for the others"):
        compile_together([binary(), other], config(load_bits=8))


@pytest.mark.parametrize("bits", [1, 12, 128, True])
def test_load_port_has_one_of_a_few_widths(bits):
    with pytest.raises(RowloomError, match="load_bits: must be one of 0, 8, 16, 32, 64"):
        ArrayConfig(rows=1, cols=1, lanes=1, load_bits=bits)


def test_a_network_alone_takes_a_pool_of_the_others():
    built = designs("binary")[0].built
    design = compile_for(make_network([Conv(filters=5, padding=PAD), Pool(), Dense(filters=3)], shape=(8, 8, 1)), built)
    assert [plan.unit for plan in design.layers] == ["sign", "pool", "xnor"]
