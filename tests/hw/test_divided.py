"""Accelerators whose codes are quotients, not found in tables, against the golden model."""

from functools import cache

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, Ternary, Uniform
from rowloom.model.layers import Conv2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize
from rowloom.sim import simulate
from tests.hw.exact import check
from tests.hw.networks import BYTES, Case, Conv, Dense, Pool, constant_layers, make_network, random_codes
from tests.hw.test_accelerator import plant
from tests.hw.test_formats import distinct

INT8 = Uniform(bits=8, signed=True)
UINT8 = Uniform(bits=8, signed=False)
UINT4 = Uniform(bits=4, signed=False)


def int8(post, codes=INT8, weights=INT8, narrow=INT8, raw=False):
    """Convolutions and a dense layer; ``narrow`` are the codes between the convolutions."""
    each = {"weights": weights, "post": post, "bias": True}
    specs = [
        Conv(filters=7, padding=(1, 1, 1, 1), codes=codes, **each),
        Pool(),
        Conv(filters=9, codes=narrow, **each),
        Conv(filters=5, kernel=(1, 1), codes=codes, **each),
        Dense(filters=10, codes=codes, **each),
    ]
    network = make_network(specs, shape=(10, 8, 3), encoding=UINT8, raw=raw, seed=7)
    images = random_codes(np.random.default_rng(0), UINT8, (4, 10, 8, 3))
    config = ArrayConfig(rows=4, cols=2, lanes=4, drains=2)
    return Case(network=network, config=config, images=images)


#: Name, arguments of ``int8``, levels of the accelerator and what its lanes have.
CASES = {
    "requantize-behind-relu": ({"post": "requantize"}, 8, ""),
    "requantize-of-both-signs": ({"post": "requantize-middle"}, 8, "bent"),
    "requantize-to-unsigned": ({"post": "requantize-middle", "codes": UINT8, "narrow": UINT8}, 8, "bent"),
    "lines-of-both-directions": ({"post": "line", "codes": UINT8, "narrow": UINT8}, 8, ""),
    "raw-sums": ({"post": "requantize-middle", "raw": True}, 8, "bent"),
    "narrow-codes-between": ({"post": "line", "narrow": Uniform(bits=3, signed=True)}, 8, ""),
    "binary-codes-between": ({"post": "line", "codes": UINT8, "narrow": Binary()}, 8, ""),
    "four-bits": ({"post": "requantize", "codes": UINT4, "narrow": Uniform(bits=4, signed=True)}, 4, ""),
    "three-bits": (
        {"post": "line", "codes": Uniform(bits=3, signed=False), "narrow": Uniform(bits=2, signed=True),
         "weights": Ternary()},
        3, "",
    ),
    "single-sums-beside": (
        {"post": "beside", "codes": UINT4, "narrow": Uniform(bits=4, signed=True), "weights": Ternary()}, 4, "mends",
    ),
    "single-sums-beside-lines-of-a-byte": ({"post": "beside"}, 8, "mends"),
    "halves-to-even": (
        {"post": "even", "codes": UINT4, "narrow": Uniform(bits=4, signed=True), "weights": Ternary()}, 4, "late",
    ),
    "halves-to-even-of-a-byte": ({"post": "even", "codes": UINT8}, 8, "late"),
}  # fmt: skip


@cache
def compiled(name):
    case = int8(**CASES[name][0])
    return case, compile_network(case.network, case.config)


@pytest.mark.parametrize("name", CASES)
def test_the_cases_show_something(name):
    """Many codes of every layer occur; the gates are those that are meant."""
    case, design = compiled(name)
    _, levels, has = CASES[name]
    line = design.hardware.line
    assert design.hardware.levels == levels
    assert (line.bent, line.mends > 0, line.late) == (has == "bent", has == "mends", has == "late")
    assert not constant_layers(case)
    *maps, (last, _) = distinct(case)
    assert all(shown >= min(codes, 32) // 2 for shown, codes in maps)
    assert last > 2


@pytest.mark.cocotb
@pytest.mark.parametrize("name", CASES)
def test_matches_golden_and_the_cycle_model(name):
    case, design = compiled(name)
    check(case, design, stalls=len(name) % 2 == 0, seed=3)


def test_a_byte_of_code_takes_no_tables():
    """One word a filter in each drain lane, whatever the codes' width."""
    _, design = compiled("requantize-of-both-signs")
    hw = design.hardware
    assert [[len(words) for words in lane] for lane in design.images.thresholds] == [[hw.threshold_depth]] * hw.drains


@pytest.mark.cocotb
def test_filters_that_all_give_one_code():
    """Nothing is divided, and the lane still has a bit for each stage."""
    layer = Conv2d(
        name="c",
        input="input",
        output="c",
        weights=np.ones((3, 1, 1, 2), np.int8),
        weight_encoding=INT8,
        post=Requantize(multiplier=np.zeros(3, np.int64), shift=np.zeros(3, np.int64), output_zero_point=-62),
    )
    tensors = (Tensor(name="input", shape=(4, 5, 2), encoding=UINT8), Tensor(name="c", shape=(4, 5, 3), encoding=INT8))
    network = Network(name="constant", tensors=tensors, layers=(layer,), input="input", outputs=("c",))
    images = random_codes(np.random.default_rng(0), UINT8, (2, 4, 5, 2))
    config = ArrayConfig(rows=3, cols=2, lanes=4)
    check(Case(network=network, config=config, images=images), compile_network(network, config))
    assert (network.run(images) == -62).all()


@pytest.mark.slow
@pytest.mark.cocotb
def test_requantize_by_tables_where_a_layer_is_on_no_line():
    """Scattered thresholds in one layer: all layers then have tables, those of ``Requantize`` included."""
    specs = [
        Conv(filters=5, weights=INT8, codes=Uniform(bits=4, signed=True), post="requantize-middle"),
        Conv(filters=5, weights=INT8, codes=Uniform(bits=4, signed=True)),
    ]
    network = make_network(specs, shape=(8, 8, 2), encoding=BYTES, raw=False, seed=2)
    images = random_codes(np.random.default_rng(0), BYTES, (4, 8, 8, 2))
    case = Case(network=network, config=ArrayConfig(rows=2, cols=2, lanes=4, drains=2), images=images)
    design = compile_network(network, case.config)
    assert design.hardware.line is None
    check(case, design, stalls=False, seed=0)


#: Text in ``hw/linear.py``, text instead of it.
MUTANTS = {
    "step-always-off": ("less = ~remainder[-1]", "less = remainder[-1] | ~remainder[-1]"),
    "far-sums-wrap": ("Mux(far, above, reached(remainder, i)) ^ flips[i]", "reached(remainder, i) ^ flips[i]"),
    "one-start-for-both-sides": ("Mux(above, starts[1], starts[0])", "starts[1]"),
    "bits-do-not-flip": ("flips[top]]", "(flips[top] & 0)]"),
    "step-of-the-filter-before": ("steps[first + top - 1 - i]", "steps[first + top - i]"),
    "no-sum-is-mended": ("kept.as_signed() + nudge", "kept.as_signed() + (nudge & 0)"),
    "nudges-only-lead-up": ("kept.as_signed() + nudge", "kept.as_signed() + nudge.as_unsigned()"),
    "halves-round-up": ("late & ~remainder.any() if", "late & 0 if"),
    "all-halves-round-down": ("if i == 0 else Const(0, 1)", "if i >= 0 else Const(0, 1)"),
}


def lane_of(mutant):
    """The case whose lanes have the gate."""
    if mutant is None:
        return "requantize-of-both-signs"
    text = MUTANTS[mutant][0]
    if "late" in text or "Const" in text:
        return "halves-to-even"
    return "single-sums-beside" if "nudge" in text else "requantize-of-both-signs"


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("mutant", [None, *MUTANTS])
def test_a_wrong_gate_is_noticed(mutant, monkeypatch):
    case, design = compiled(lane_of(mutant))
    if mutant:
        plant(monkeypatch, "linear", *MUTANTS[mutant])
    result = simulate(design, case.images)
    assert result.ok == (mutant is None), result.summary()
