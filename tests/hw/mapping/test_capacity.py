from dataclasses import fields, replace

import pytest

from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.lane_parameters import ExtraLanes, LineParameters
from rowloom.hw.mapping.capacity import (
    ARRAY_RULES,
    EXTRA_RULES,
    HARDWARE_RULES,
    LINE_RULES,
    SKIP_RULES,
    VECTOR_RULES,
    merge,
    misfits,
)
from rowloom.hw.parameters import Hardware, SkipParameters
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from tests.hw.machines import array_parameters, hardware

XNOR = "xnor array for Binary() weights x Binary() activations"
LINE = LineParameters(fraction=3, step_bits=8, kept_bits=9, remainder_bits=12, bent=False)
VECTOR = VectorParameters(
    lanes=8, drains=2, activations=Uniform(bits=8, signed=False), weight_bits=4, weight_depth=9, sum_bits=14
)
FULL = hardware(
    levels=2, line=LINE, vectors=(VECTOR,), skips=SkipParameters(depth=5, a_bits=3, x_bits=2, y_bits=1), load_bits=8,
)  # fmt: skip


def test_every_parameter_has_a_rule():
    for kind, rules, apart in (
        (Hardware, HARDWARE_RULES, {"arrays", "vectors", "line", "extra", "skips"}),
        (ArrayParameters, ARRAY_RULES, {"unit", "rows", "lanes", "stacked", "weights", "activations", "live_padding"}),
        (VectorParameters, VECTOR_RULES, {"lanes", "activations", "gated"}),
        (LineParameters, LINE_RULES, set()),
        (SkipParameters, SKIP_RULES, set()),
        (ExtraLanes, EXTRA_RULES, {"line"}),
    ):
        assert {field.name for field in fields(kind)} == {*rules} | apart


def test_what_is_built_for_a_network_fits_it():
    assert misfits(FULL, FULL) == []
    assert merge([FULL, FULL]) == FULL


#: What is changed in the needs, and what is said of it.
NEEDS = [
    ({"bank_depth": 65}, "needs 65 words in each activation bank, there are 64"),
    ({"threshold_depth": 17}, "needs 17 words in each threshold memory, there are 16"),
    ({"code_bits": (1, 2)}, "needs maps of codes of 1, 2 bits, it writes 1"),
    ({"slices": True}, "needs maps that are written in parts, it writes whole ones"),
    ({"input_bits": 8}, "needs an input of 8 bit codes, it has 4 bits"),
    ({"outputs": 2}, "needs 2 outputs, it gives 1"),
    ({"pad_bits": 4}, "needs padding with codes of 4 bits, it pads with 0 bits"),
    ({"line": None}, "has thresholds that lie on no line, its lanes divide"),
    ({"line": replace(LINE, fraction=4)}, "the lanes need 4 fraction bits, there are 3"),
    ({"skips": replace(FULL.skips, depth=6)}, "the table of words needs 6 entries, there are 5"),
    (
        {"arrays": (array_parameters(weight_depth=700),)},
        f"the {XNOR} needs 700 words in each weight memory, there are 16",
    ),
    (
        {"arrays": (array_parameters(unit="sign", activations=Uniform(bits=4, signed=False)),)},
        "needs the sign array for Binary() weights x Uniform(bits=4, signed=False) activations, there is none",
    ),
    (
        {"vectors": (replace(VECTOR, weight_bits=5),)},
        f"the vector path for {VECTOR.activations} needs weights of 5 bits, there are 4",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "text"), NEEDS, ids=[next(iter(changed)) + str(i) for i, (changed, _) in enumerate(NEEDS)]
)
def test_tells_what_is_lacking(changed, text):
    assert misfits(replace(FULL, **changed), FULL) == [text]


@pytest.mark.parametrize(("changed", "_"), [need for need in NEEDS if "input_bits" not in need[0]])
def test_what_is_merged_has_all(changed, _):
    needs = replace(FULL, **changed)
    for order in ([needs, FULL], [FULL, needs]):
        both = merge(order)
        assert misfits(FULL, both) == [] or both.line is None
        assert misfits(needs, both) == []


def test_steps_of_strips_have_a_common_divisor():
    assert merge([replace(FULL, write_step=4), replace(FULL, write_step=6)]).write_step == 2
    assert misfits(replace(FULL, write_step=1), replace(FULL, write_step=2)) == [
        "needs strips that are multiples of 1 rows, columns write in steps of 2"
    ]


def test_codes_of_one_bit_go_with_either_kind_of_lane():
    bits = replace(FULL, levels=1, line=None)
    assert merge([bits, FULL]).line == LINE
    assert merge([replace(FULL, line=None), FULL]).line is None


def test_what_must_be_the_same_cannot_be_merged():
    with pytest.raises(RowloomError, match=r"one needs an input of 8 bit codes, it has 4 bits for the others$"):
        merge([FULL, replace(FULL, input_bits=8)])
