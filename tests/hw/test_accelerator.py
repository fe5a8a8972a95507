"""Whole accelerators against the golden model: every value of every layer, and every cycle."""

import importlib
import inspect
from functools import cache

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.errors import RowloomError
from rowloom.sim import simulate
from tests.hw.exact import check
from tests.hw.networks import (
    Case,
    Conv,
    Dense,
    Pool,
    constant_layers,
    features,
    make_network,
    random_case,
    random_codes,
)

#: Seeds of small cases that use everything between them, and of more for a long run.
SEEDS = (1852, 553, 808, 436, 685, 1182, 1070, 3163)
MORE_SEEDS = range(5000, 5060)

EVERYTHING = {
    "argmax", "binary input", "codes out", "dilation", "half bit", "idle cycles", "large map out", "many columns",
    "no prefetch", "one row", "packed windows", "padded pool", "padding", "raw sums", "rows folded in time and space",
    "rows summed in the chain", "several blocks", "several chains", "several chunks", "several strips",
    "several sums a chain", "several words", "stride", "two arrays", "unit pool", "unit sign", "unit xnor",
    "wide input in plain words",
}  # fmt: skip


@cache
def compiled(seed):
    case = random_case(seed)
    return case, compile_network(case.network, case.config)


def test_the_cases_use_everything():
    assert set().union(*(features(*compiled(seed)) for seed in SEEDS)) == EVERYTHING


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cases_show_something(seed):
    """No layer gives the same code nearly everywhere."""
    case, _ = compiled(seed)
    assert not constant_layers(case)
    kept = case.network.run(case.images, keep="all")
    codes = [kept[layer.output] for layer in case.network.layers if getattr(layer, "post", None)]
    assert all(0.05 < each.mean() < 0.95 for each in codes)


@pytest.mark.cocotb
@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
@pytest.mark.parametrize("seed", SEEDS)
def test_matches_golden_and_the_cycle_model(seed, stalls):
    case, design = compiled(seed)
    check(case, design, stalls=stalls, seed=seed)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_matches_golden_and_the_cycle_model_in_more_cases(seed):
    try:
        case, design = compiled(seed)
    except RowloomError as error:
        pytest.skip(f"refused: {error}")
    check(case, design, stalls=bool(seed % 2), seed=seed)


def mutant_case():
    """Windows, padding with the half bit, rows summed in space and in time, a pool, and a dense layer."""
    specs = [
        Conv(filters=9, padding=(1, 1, 1, 1)),
        Pool(),
        Conv(filters=13, padding=(1, 1, 1, 1), bias=True),
        Conv(filters=9, kernel=(4, 3), padding=(1, 1, 1, 1)),
        Conv(filters=20, kernel=(1, 1)),
        Dense(filters=7),
    ]
    network = make_network(specs, shape=(12, 10, 1), seed=2)
    config = ArrayConfig(rows=6, cols=2, lanes=8, drains=2, input_lanes=4)
    images = random_codes(np.random.default_rng(0), network.tensor("input").encoding, (4, 12, 10, 1))
    return Case(network=network, config=config, images=images)


#: Module, text in it, text instead of it.
MUTANTS = {
    "padding-counts-nothing": ("units.xnor", "in terms), self.lanes // 2)", "in terms), 0)"),
    "padding-is-not-seen": ("units.xnor", "Mux(live, sum(t[0]", "Mux(1, sum(t[0]"),
    "half-bit-is-odd": ("units.xnor", "Mux(live, odd, self.lanes % 2)", "odd"),
    "count-loses-a-carry": ("units.popcount", "high0 ^ high1 ^ carry", "high0 ^ high1"),
    "sum-for-difference": ("units.sign", "plus == also, total, difference", "plus == also, difference, total"),
    "accumulator-is-not-cleared": ("pe", "m.d.sync += total.eq(0)", "m.d.sync += total.eq(total_next)"),
    "chain-does-not-move": ("pe", "self.sum.eq(self.next_sum)", "self.sum.eq(self.sum)"),
    "row-takes-another-stream": ("array", "(p // self.drains) % self.group", "(p // self.drains + 1) % self.group"),
    "group-sum-is-not-cleared": ("drain", "m.d.sync += total.eq(0)", "m.d.sync += total.eq(total_next)"),
    "threshold-is-exclusive": ("postprocess", "~difference[-1]", "(difference > 0)"),
    "threshold-does-not-invert": ("postprocess", "Cat(*found) ^ invert.replicate(self.levels)", "Cat(*found)"),
    "word-starts-with-old-codes": ("packer", "slot.eq(0)", "slot.eq(slot)"),
    "pool-forgets-earlier-taps": ("pool", "Mux(self.first, best, maximum(word, best))", "best"),
    "column-right-of-the-map": ("issue", '(x < program["width"])', '(x <= program["width"])'),
    "row-below-the-kernel": ("issue", "(kernel_left > j)", "(kernel_left >= j)"),
    "one-idle-cycle-more": ("issue", 'bubble.eq(program["bubbles"])', 'bubble.eq(program["bubbles"] + 1)'),
}  # fmt: skip


def plant(monkeypatch, name, old, new):
    """Replace ``old``, which must be there once, in the gates of the classes and functions of a module."""
    module = importlib.import_module(f"rowloom.hw.{name}")
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{name} holds {old!r} {source.count(old)} times"
    planted = {"__name__": module.__name__}
    exec(compile(source.replace(old, new), module.__file__, "exec"), planted)
    for public in module.__all__:
        present = getattr(module, public)
        if isinstance(present, type):
            for name, method in vars(planted[public]).items():
                if inspect.isfunction(method) and name != "__init__":
                    monkeypatch.setattr(present, name, method)
        elif callable(present):
            monkeypatch.setattr(module, public, planted[public])


def test_the_case_for_mutants_uses_what_they_break():
    case = mutant_case()
    used = features(case, compile_network(case.network, case.config))
    assert used >= {
        "padding", "half bit", "unit sign", "unit pool", "rows summed in the chain", "rows folded in time and space",
        "several sums a chain", "several words", "idle cycles",
    }  # fmt: skip
    assert not constant_layers(case)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("mutant", [None, *MUTANTS])
def test_a_wrong_gate_is_noticed(mutant, monkeypatch):
    """Each of these passes unseen only if nothing compares the values, or the cycles, that it changes."""
    case = mutant_case()
    if mutant:
        plant(monkeypatch, *MUTANTS[mutant])
    result = simulate(compile_network(case.network, case.config), case.images)
    assert result.ok == (mutant is None), result.summary()
