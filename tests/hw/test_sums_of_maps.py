"""Sums of several maps, of unlike codes, and averages without the padding, against the golden model."""

import numpy as np
import pytest

from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, PowerOfTwo, Ternary, Uniform
from rowloom.model.errors import RowloomError
from tests.hw.graphs import CONFIGS, Graph, assert_exact, on_both_arrays

TERNARY = Ternary()
NARROW = Uniform(bits=2, signed=False)
SIGNED = Uniform(bits=4, signed=True, zero_point=-3)
SAME = (1, 1, 1, 1)


def graph(shape=(6, 7, 6), encoding=NARROW, weights=TERNARY, seed=1, **fields):
    return Graph(shape, encoding, weights=weights, seed=seed, **fields)


def many_maps():
    """Maps in every order, one of them twice, beside sums of one and of two, and convolutions of many taps."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 6, (3, 5), padding=(1, 1, 2, 2))
    c = g.conv(b, 6, (1, 1))
    d = g.add(c, a, b, multipliers=(1, 2, -1))
    e = g.add(a, d, c, b, a, multipliers=(1, 2, -1, 3, 1))
    f = g.add(g.add(e, multipliers=(-1,)), d, multipliers=(2, 1))
    g.dense(f, 5, raw=True)
    return g.network()


def many_maps_that_leave():
    g = graph((5, 5, 9), SIGNED)
    a = g.conv("input", 9, padding=SAME)
    b = g.concat(a, g.depthwise(a, padding=SAME))
    c = g.conv(b, 9, (1, 1))
    g.add(a, "input", c, multipliers=(1, -2, 3), raw=True)
    return g.network()


def unlike_codes():
    """Codes of several widths, signs and kinds."""
    g = graph((6, 7, 4))
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 6, padding=SAME, codes=Uniform(bits=5, signed=True, zero_point=-3))
    c = g.conv(b, 6, padding=SAME, codes=Uniform(bits=4, signed=False, zero_point=2))
    d = g.conv(c, 6, padding=SAME, codes=TERNARY)
    e = g.add(a, b, c, d, multipliers=(3, -2, 1, 5))
    f = g.add(b, e, multipliers=(1, 1), codes=TERNARY)
    h = g.add(d, f, a, multipliers=(1, 1, -1), codes=Binary())
    g.dense(g.add(h, d, multipliers=(2, 1)), 5, raw=True)
    return g.network()


def unlike_codes_on_lines():
    g = graph((6, 7, 4), Uniform(bits=3, signed=False), Uniform(bits=3, signed=True), line=True)
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 6, padding=SAME, codes=Uniform(bits=5, signed=True, zero_point=2))
    c = g.add(a, b, g.pool(b, stride=(1, 1), padding=(0, 1, 0, 1)), multipliers=(1, -3, 2))
    g.dense(c, 5, raw=True)
    return g.network()


def powers_and_integers():
    """Codes in no order: their values are written as integers."""
    powers = PowerOfTwo(bits=3, e_min=0, e_max=2)
    g = graph((5, 6, 5), powers, powers)
    a = g.conv("input", 5, padding=SAME, codes=Uniform(bits=3, signed=True))
    g.average(g.add("input", a, multipliers=(1, 2), codes=NARROW), (5, 3), raw=True)
    return g.network()


def averages_of_fewer_taps():
    """Strides, windows that lack taps on one side, on both, and none; with parts of a single row or column."""
    g = graph((7, 8, 6))
    a = g.conv("input", 6, padding=SAME)
    b = g.average(a, (3, 3), stride=(1, 1), padding=SAME)
    c = g.average(b, (2, 3), stride=(2, 2), padding=(1, 0, 1, 1))
    d = g.concat(c, g.average(b, (5, 4), stride=(2, 2), padding=(3, 2, 1, 2)))
    g.dense(g.average(d, (5, 6), stride=(3, 3), padding=(4, 4, 5, 5)), 5, raw=True)
    return g.network()


def averages_of_signed_codes_on_lines():
    g = graph((6, 5, 5), SIGNED, Uniform(bits=3, signed=True), line=True)
    a = g.average("input", (3, 2), stride=(2, 1), padding=(1, 1, 0, 1))
    g.conv(g.average(g.conv(a, 6, (2, 1)), (2, 2), stride=(1, 1), padding=(0, 1, 1, 0)), 5, (2, 2), raw=True)
    return g.network()


def average_that_leaves():
    """Codes of parts are sent when all of them are there."""
    g = graph((5, 5, 5), Binary(), Binary())
    a = g.conv("input", 5, padding=SAME)
    g.average(a, (3, 3), stride=(1, 1), padding=SAME, codes=NARROW)
    return g.network()


def padding_with_values():
    """Each channel by itself, with a margin of the least value, of code 0's, of another, and of 0."""
    g = graph((5, 6, 5), SIGNED, Uniform(bits=3, signed=True))
    a = g.depthwise("input", padding=SAME, pad_value=-5)
    b = g.depthwise(a, padding=(2, 0, 1, 1), pad_value=3)
    c = g.depthwise(b, padding=SAME, stride=(2, 1), pad_value=7)
    g.dense(g.depthwise(c, (2, 2), padding=(1, 0, 0, 1)), 5, raw=True)
    return g.network()


def tables_of_codes():
    """Tables that rise, fall and do both, in the middle and at the end, and a sum that becomes codes as it is."""
    g = graph((5, 6, 5), SIGNED, Uniform(bits=3, signed=True))
    a = g.table(g.conv("input", 5, padding=SAME), np.maximum(np.arange(-8, 8), -3))
    b = g.table(g.pool(a), [3, 3, 2, 1, 1, 0, 0, 0, -1, -2, -5, -5, -6, -6, -8, -8])
    c = g.table(b, np.arange(-8, 8) // 2, codes=Uniform(bits=4, signed=True))
    d = g.table(g.conv(c, 5, padding=SAME), [-8, -7, -3, 2, 3, 4, 7, 5, 4, 3, 3, -1, 0, 2, 2, 1])
    g.table(g.conv(d, 5, (1, 1)), (np.arange(16) - 6) ** 2 // 6, codes=Uniform(bits=5, signed=False))
    return g.network()


CASES = {case.__name__: case for case in (
    many_maps, many_maps_that_leave, unlike_codes, unlike_codes_on_lines, powers_and_integers, averages_of_fewer_taps,
    averages_of_signed_codes_on_lines, average_that_leaves, tables_of_codes, padding_with_values,
)}  # fmt: skip


@pytest.mark.parametrize(("case", "shape", "stalls"), list(on_both_arrays(CASES)))
def test_matches_golden_and_the_cycle_model(case, shape, stalls):
    network = CASES[case]()
    assert_exact(network, compile_network(network, CONFIGS[shape]), stalls=stalls)


@pytest.mark.cocotb
def test_outputs_of_unlike_codes_leave():
    """Codes of two widths, one of them two's complement, and raw sums, straight from the lanes and from memory."""
    g = graph()
    a = g.conv("input", 6, padding=SAME)
    b = g.conv(a, 3, codes=Uniform(bits=3, signed=True))
    c = g.conv(a, 4, raw=True)
    d = g.conv(a, 5, codes=NARROW)
    network = g.network(d, c, a, b)
    design = compile_network(network, CONFIGS["6x2x4"])
    assert set(design.hardware.result_codes) == {(2, False), (3, True)}
    assert_exact(network, design)


def test_codes_that_no_code_of_eight_bits_holds_are_refused():
    g = graph((4, 4, 4), Uniform(bits=8, signed=False))
    a = g.conv("input", 4, padding=SAME, codes=Uniform(bits=8, signed=True, zero_point=100))
    g.add("input", a, multipliers=(1, 1), raw=True)
    design = compile_network(g.network(), CONFIGS["6x2x4"])  # the zero point moves into the other's sign
    assert [plan.op for plan in design.layers] == ["conv2d", "add", "add"]
    g = graph((4, 4, 4), Uniform(bits=9, signed=False))
    a = g.conv("input", 4, padding=SAME, codes=Uniform(bits=8, signed=True))
    g.add("input", a, multipliers=(1, 1), raw=True)
    with pytest.raises(RowloomError, match=r"^add1: adds Uniform.* and Uniform.*, must be codes of one width$"):
        compile_network(g.network(), CONFIGS["6x2x4"])


@pytest.mark.parametrize(("encoding", "number"), [(SIGNED, 11), (Binary(), 1)])
def test_padding_with_what_no_code_means_is_refused(encoding, number):
    g = graph((4, 4, 4), encoding, encoding)
    g.depthwise("input", padding=SAME, pad_value=number, raw=True)
    with pytest.raises(RowloomError, match=rf"^conv2d0: pads with {number}, must be 0 or a value of "):
        compile_network(g.network(), CONFIGS["6x2x4"])
