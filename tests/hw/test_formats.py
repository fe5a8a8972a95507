"""Accelerators of every number format against the golden model: every value of every layer, and every cycle."""

from functools import cache

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.sim import simulate
from tests.hw.exact import check
from tests.hw.formats import ACTIVATIONS, WEIGHTS
from tests.hw.networks import BYTES, Case, Conv, Dense, Pool, constant_layers, make_network, random_codes
from tests.hw.test_accelerator import plant

#: Seeds whose networks use everything between them, and more for a long run.
SEEDS = (61, 39, 27, 2, 17)
MORE_SEEDS = range(1000, 1020)

EVERYTHING = {
    "Binary", "Codebook", "DoReFa", "PowerOfTwo", "Ternary", "Uniform",
    "unit lut", "unit multiply", "unit quinary", "unit shift", "unit sign", "unit ternary", "unit xnor",
    "codes of two widths", "codes out", "eight levels", "pool of codes", "pool of signed codes", "raw sums",
    "signed codes", "signed codes out", "zero that is not code 0",
}  # fmt: skip


def random_formats(seed):
    """A small network of random encodings, and an array to run it; it may be one that an accelerator refuses."""
    rng = np.random.default_rng(seed)
    weights, codes = ([_one_of(rng, encodings) for _ in range(2)] for encodings in (WEIGHTS, ACTIVATIONS))
    encoding = BYTES if rng.random() < 0.5 else _one_of(rng, ACTIVATIONS)
    side, channels = [int(n) for n in rng.integers(5, 9, 2)], int(rng.integers(1, 4))
    specs, shape = [], (*side, channels)
    for i in range(int(rng.integers(1, 3))):
        kernel = tuple(int(n) for n in rng.integers(1, np.minimum(side, 3) + 1))
        padding = [int(n) for k in kernel for n in rng.integers(0, k, 2)] if rng.random() < 0.6 else [0] * 4
        stride = int(rng.choice([1, 1, 2]))
        specs.append(
            Conv(
                filters=int(rng.integers(2, 12)),
                kernel=kernel,
                padding=tuple(padding),
                stride=(stride, stride),
                bias=bool(rng.random() < 0.4),
                weights=weights[i],
                codes=codes[i],
            )
        )
        side = [(side[n] + sum(padding[2 * n : 2 * n + 2]) - kernel[n]) // stride + 1 for n in range(2)]
        if rng.random() < 0.5 and min(side) >= 3:
            pads = tuple(int(n) for n in rng.integers(0, 2, 4))
            specs.append(Pool(padding=pads))
            side = [(side[n] + sum(pads[2 * n : 2 * n + 2]) - 2) // 2 + 1 for n in range(2)]
    last = {"weights": weights[-1], "codes": codes[-1]}
    specs.append(Dense(filters=int(rng.integers(2, 8)), **last))
    network = make_network(specs, shape=shape, encoding=encoding, raw=bool(rng.random() < 0.6), seed=seed)
    rows = int(rng.choice([1, 2, 3, 4, 6]))
    config = ArrayConfig(rows=rows, cols=int(rng.integers(1, 4)), lanes=int(rng.choice([1, 2, 4, 5, 8])))
    return Case(network=network, config=config, images=random_codes(rng, encoding, (4, *shape)))


def _one_of(rng, encodings):
    """Any kind as likely as any other."""
    kinds = list(dict.fromkeys(type(each) for each in encodings))
    kind = kinds[rng.integers(len(kinds))]
    same = [each for each in encodings if type(each) is kind]
    return same[rng.integers(len(same))]


@cache
def compiled(seed):
    case = random_formats(seed)
    return case, compile_network(case.network, case.config)


def features(case, design):
    """What of the formats a case uses."""
    hw = design.hardware
    found = {f"unit {array.unit}" for array in hw.arrays} | {type(array.activations).__name__ for array in hw.arrays}
    targets = [case.network.tensor(plan.tensor).encoding for plan in design.layers if plan.unit != "pool"]
    padded = [layer for layer in case.network.layers if layer.op == "conv2d" and any(layer.padding)]
    found |= {name for name, used in {
        "signed codes": any(encoding.signed for encoding in targets[:-1]),
        "codes of two widths": len(hw.code_bits) > 1,
        "pool of codes": any(bits > 1 for bits, _ in hw.pooled),
        "pool of signed codes": any(is_signed for _, is_signed in hw.pooled),
        "signed codes out": targets[-1].signed and case.network.layers[-1].post is not None,
        "codes out": not targets[-1].signed,
        "raw sums": case.network.layers[-1].post is None,
        "zero that is not code 0": any(int(case.network.tensor(layer.input).encoding.decode(0)) for layer in padded),
        "eight levels": hw.levels == 8,
    }.items() if used}  # fmt: skip
    return found


def distinct(case):
    """How many codes each layer shows that gives codes, and how many there are."""
    kept = case.network.run(case.images, keep="all")
    for layer in case.network.layers:
        encoding = case.network.tensor(layer.output).encoding
        if getattr(layer, "post", None) is not None:
            yield len(np.unique(kept[layer.output])), encoding.code_max - encoding.code_min + 1


def test_the_cases_use_everything():
    assert set().union(*(features(*compiled(seed)) for seed in SEEDS)) == EVERYTHING


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cases_show_something(seed):
    """Every layer's codes vary, over at least half of those of a few bits."""
    case, _ = compiled(seed)
    assert not constant_layers(case)
    assert all(shown >= min(codes, 8) // 2 for shown, codes in distinct(case))


@pytest.mark.cocotb
@pytest.mark.parametrize("seed", SEEDS)
def test_matches_golden_and_the_cycle_model(seed):
    case, design = compiled(seed)
    check(case, design, stalls=bool(seed % 2), seed=seed)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_matches_golden_and_the_cycle_model_in_more_cases(seed):
    try:
        case, design = compiled(seed)
    except RowloomError as error:
        pytest.skip(f"refused: {error}")
    check(case, design, stalls=bool(seed % 2), seed=seed)


def unusual(codes):
    """A network of two layers of these codes whose sums are narrow."""
    specs = [
        Conv(filters=5, kernel=(2, 2), codes=codes),
        Conv(filters=3, kernel=(1, 1), weights=Ternary(), codes=codes),
    ]
    network = make_network(specs, shape=(4, 4, 2), encoding=Binary(), raw=False, seed=1)
    images = random_codes(np.random.default_rng(0), Binary(), (4, 4, 4, 2))
    return Case(network=network, config=ArrayConfig(rows=2, cols=2, lanes=4, drains=2), images=images)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize(
    "codes",
    [PowerOfTwo(bits=4, e_min=0, e_max=2), Uniform(bits=1, signed=True), Uniform(bits=8, signed=False)],
    ids=["codes-fewer-than-their-bits-hold", "one-signed-bit", "codes-wider-than-the-sums"],
)
def test_unusual_codes_match_golden(codes):
    case = unusual(codes)
    check(case, compile_network(case.network, case.config), stalls=False, seed=0)


def mutant_case():
    """A layer on each of five units, with padding that is not code 0, a pool of signed codes."""
    specs = [
        Conv(filters=6, padding=(1, 1, 1, 1), weights=Ternary(), codes=Uniform(bits=4, signed=True)),
        Pool(padding=(1, 1, 1, 1)),
        Conv(filters=5, weights=PowerOfTwo(bits=3, e_min=0, e_max=2), codes=DoReFa(3)),
        Conv(filters=4, weights=Codebook((-3, 0, 2)), codes=Uniform(bits=3, signed=False), padding=(1, 1, 1, 1)),
        Conv(filters=5, weights=Quinary(), codes=Uniform(bits=2, signed=True)),
        Dense(filters=4, weights=Uniform(bits=5, signed=True), codes=Uniform(bits=5, signed=True)),
    ]
    network = make_network(specs, shape=(12, 10, 2), seed=4, raw=False)
    images = random_codes(np.random.default_rng(0), BYTES, (4, 12, 10, 2))
    config = ArrayConfig(rows=4, cols=2, lanes=6, drains=2, planes="never")
    return Case(network=network, config=config, images=images)


#: Module, text in it, text instead of it.
MUTANTS = {
    "minus-is-plus": ("units.ternary", "weight[1], lane", "weight[0] & ~weight[0], lane"),
    "doubled-is-not": ("units.quinary", "value << 1", "value"),
    "shifts-by-one-less": ("units.shift", "shifted.eq(value << step)", "shifted.eq(value << max(0, step - 1))"),
    "table-is-transposed": ("units.lut", "for w in range(1 << weights.bits)", "for w in (1, 0, 2, 3)"),
    "multiplies-codes": ("units.multiply", "activation * weight)", "activation * (weight + 1))"),
    "padding-is-not-gated": ("units.terms", "m.d.sync += total.eq(0)", "m.d.comb += []"),
    "negates-instead-of-complementing": ("units.terms", "wide ^ negative.replicate(len(wide))", "-wide"),
    "least-code-is-not-added": ("postprocess", "count + self.base", "count"),
    "bits-are-turned-round": ("postprocess", "Cat(*found, address)", "Cat(*reversed(found), address)"),
    "pool-ignores-the-sign": ("pool", "stream ^ flip, 0)", "stream ^ flip ^ flip, 0)"),
    "pool-of-dead-words": ("pool", 'Mux(getattr(self, f"live_{j}"), stream ^ flip, 0)', "stream ^ flip"),
}  # fmt: skip


def test_the_case_for_mutants_uses_what_they_break():
    case = mutant_case()
    used = features(case, compile_network(case.network, case.config))
    assert used >= {
        "unit ternary", "unit shift", "unit lut", "unit quinary", "unit multiply", "pool of signed codes",
        "signed codes", "signed codes out", "zero that is not code 0",
    }  # fmt: skip
    assert not constant_layers(case)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("mutant", [None, *MUTANTS])
def test_a_wrong_gate_is_noticed(mutant, monkeypatch):
    case = mutant_case()
    if mutant:
        plant(monkeypatch, *MUTANTS[mutant])
    result = simulate(compile_network(case.network, case.config), case.images)
    assert result.ok == (mutant is None), result.summary()
