"""Accelerators whose layers run as bit planes against the golden model: every value of every layer, and every cycle."""

from functools import cache

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.planes import planes_for
from rowloom.model.encodings import Binary, DoReFa, Quinary, Ternary, Uniform
from rowloom.sim import simulate
from tests.hw.exact import check
from tests.hw.networks import BYTES, Case, Conv, Dense, Pool, constant_layers, make_network, random_codes
from tests.hw.test_accelerator import plant

PAD = (1, 1, 1, 1)


def unsigned(bits):
    return Uniform(bits=bits, signed=False)


def signed(bits):
    return Uniform(bits=bits, signed=True)


#: Input, shape, layers, array; each with padding, and channels that do not fill the lanes.
CASES = {
    "binary-x-bytes": (
        BYTES, (7, 6, 2), [Conv(filters=9, padding=PAD, bias=True), Conv(filters=5, padding=PAD), Dense(filters=3)], {},
    ),
    "binary-x-signed-bytes": (
        signed(8), (8, 7, 3), [Conv(filters=7, padding=PAD, stride=(2, 2)), Dense(filters=4)], {"prefetch": False},
    ),
    "merged-rows": (
        BYTES, (9, 6, 1), [Conv(filters=9, kernel=(5, 2), padding=(2, 3, 1, 1)), Conv(filters=4, kernel=(1, 3))], {},
    ),
    "merged-beside-others": (
        signed(4), (7, 7, 2), [
            Conv(filters=7, padding=PAD, stride=(2, 1), codes=unsigned(2)),
            Conv(filters=5, padding=PAD),
            Dense(filters=3),
        ], {"rows": 4, "group": 2, "lanes": 12, "drains": 4},
    ),
    "wide-input": (
        unsigned(4), (5, 4, 11), [Conv(filters=6, padding=(2, 0, 0, 1)), Conv(filters=4)], {"rows": 4, "group": 2},
    ),
    "dorefa": (
        BYTES, (8, 7, 3), [
            Conv(filters=9, padding=PAD, codes=unsigned(2)),
            Conv(filters=10, weights=DoReFa(2), codes=unsigned(3), padding=(1, 0, 1, 1)),
            Conv(filters=5, weights=DoReFa(3), codes=unsigned(2)),
            Dense(filters=3, weights=DoReFa(2), bias=True),
        ], {},
    ),
    "ternary-and-quinary": (
        unsigned(2), (8, 7, 3), [
            Conv(filters=9, padding=PAD, weights=Ternary(), codes=unsigned(2)),
            Pool(padding=PAD),
            Conv(filters=7, weights=Quinary(), codes=Ternary()),
            Conv(filters=5, kernel=(1, 1), codes=Binary()),
        ], {"rows": 8, "lanes": 4, "cols": 3},
    ),
    "integers": (
        signed(3), (8, 7, 3), [
            Conv(filters=9, padding=PAD, weights=signed(2), codes=signed(4), stride=(2, 1)),
            Conv(filters=5, kernel=(5, 2), padding=(2, 2, 1, 0), weights=signed(4), codes=unsigned(3)),
            Pool(kernel=(2, 1), stride=(2, 1)),
            Dense(filters=3, weights=signed(3)),
        ], {},
    ),
    "codes-that-are-not-zero": (
        DoReFa(2), (6, 7, 3), [
            Conv(filters=5, padding=PAD, weights=Ternary(), codes=DoReFa(3)),
            Conv(filters=6, padding=PAD, weights=DoReFa(2), codes=Binary()),
            Conv(filters=3, padding=PAD, weights=signed(3), codes=signed(3)),
            Conv(filters=3, codes=unsigned(2)),
        ], {"lanes": 4, "drains": 1, "rows": 5},
    ),
    "beside-units": (
        unsigned(3), (9, 8, 2), [
            Pool(kernel=(2, 1), stride=(1, 1)),
            Conv(filters=8, codes=unsigned(2)),
            Conv(filters=6, codes=Uniform(bits=3, signed=False, zero_point=2)),
            Conv(filters=5, kernel=(2, 2), weights=Ternary()),
            Dense(filters=4),
        ], {},
    ),
}  # fmt: skip

EVERYTHING = {
    "8 bits", "complements", "dead padding", "half bit", "idle cycles for planes", "merged rows", "padding", "packed",
    "pool to planes", "raw sums of planes", "several words", "stride", "units beside", "written as planes",
}  # fmt: skip


@cache
def compiled(name):
    encoding, shape, specs, options = CASES[name]
    network = make_network(specs, shape=shape, encoding=encoding, raw=name != "codes-that-are-not-zero", seed=3)
    config = ArrayConfig(**{"rows": 6, "cols": 2, "lanes": 8, "planes": "always"} | options)
    images = random_codes(np.random.default_rng(0), encoding, (4, *shape))
    return Case(network=network, config=config, images=images), compile_network(network, config)


def features(case, design):
    """What of the bit planes a case uses."""
    found = set()
    for plan, layer in zip(design.layers, case.network.layers, strict=True):
        source = design.layout(plan.sources[0])
        target = None if plan.to_results else design.layout(plan.tensor)
        if plan.planes == 1:
            found |= {"units beside"} if plan.unit not in ("pool", "xnor") else set()
            found |= {"pool to planes"} if plan.unit == "pool" and target.planes else set()
            continue
        planes = planes_for(layer.weight_encoding, case.network.tensor(plan.sources[0]).encoding)
        padded = any(getattr(layer, "padding", ()))
        found |= {name for name, used in {
            "8 bits": source.bits == 8,
            "complements": planes.stored > len(planes_for(layer.weight_encoding, unsigned(1)).pairs),
            "dead padding": padded and not planes.solid,
            "half bit": design.hardware.arrays[0].half,
            "padding": padded and planes.solid,
            "merged rows": plan.fold.merged,
            "packed": source.packed,
            "raw sums of planes": plan.to_results and layer.post is None,
            "several words": source.words > 1,
            "stride": max(getattr(layer, "stride", (1,))) > 1,
            "written as planes": target is not None and target.planes,
        }.items() if used}  # fmt: skip
    for plan in design.layers:
        if plan.fold.bubbles > max(0, plan.fold.steps - plan.fold.accumulation):
            found.add("idle cycles for planes")
    return found


def test_the_cases_use_everything():
    assert set().union(*(features(*compiled(name)) for name in CASES)) == EVERYTHING


@pytest.mark.parametrize("name", CASES)
def test_the_cases_show_something(name):
    case, design = compiled(name)
    assert not constant_layers(case)
    assert any(plan.planes > 1 for plan in design.layers)


@pytest.mark.cocotb
@pytest.mark.parametrize("name", CASES)
def test_matches_golden_and_the_cycle_model(name):
    case, design = compiled(name)
    check(case, design, stalls=list(CASES).index(name) % 2 == 1)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("name", CASES)
def test_matches_golden_with_the_other_streams(name):
    case, design = compiled(name)
    check(case, design, stalls=list(CASES).index(name) % 2 == 0)


#: Module, text in it, text instead of it.
MUTANTS = {
    "sum-is-not-doubled": ("pe", "Mux(self.double, total << 1, total)", "Mux(self.double, total, total)"),
    "first-pair-again": ("issue", 'self.start | loops["planes"].last, program', "self.start, program"),
    "weights-are-not-rewound": ("issue", 'program["w_block"], step)', 'program["w_block"], 0)'),
    "another-plane-of-the-map": ("issue", "a_start + pair.a_step", "a_start + pair.a_step + 1"),
    "rows-go-on-over-planes": ("issue", '"planes" if planes else "blocks"', '"blocks"'),
    "planes-turned-round": ("loader", "for i in range(bits))[plane]", "for i in reversed(range(bits)))[plane]"),
    "planes-of-a-word-are-the-same": ("splitter", "now >> self.hardware.lanes", "now"),
    "planes-end-too-soon": ("splitter", "left.eq(self.planes - 1)", "left.eq(self.planes >> 1)"),
    "done-before-the-last-plane": ("splitter", "(waiting == 1)", "(waiting == 2)"),
    "padding-is-dead": ("accelerator", "program.solid if hw.plane_pairs else 0", "0"),
    "rows-are-not-merged": ("array", "Mux(self.merge, low,", "Mux(0, low,"),
    "all-rows-are-merged": ("array", "Mux(self.merge, low,", "Mux(1, low,"),
    "sums-keep-their-scale": ("accelerator", "difference >> shift for", "difference for"),
}  # fmt: skip


def mutant_case():
    """Planes of the input and of inner maps, padding, several blocks, chunks and words, raw sums."""
    specs = [
        Conv(filters=13, padding=PAD, codes=unsigned(3)),
        Conv(filters=9, kernel=(5, 2), padding=PAD, weights=DoReFa(2), codes=unsigned(3)),
        Dense(filters=5, weights=Ternary()),
    ]
    network = make_network(specs, shape=(8, 6, 1), seed=2)
    images = random_codes(np.random.default_rng(0), BYTES, (4, 8, 6, 1))
    return Case(network=network, config=ArrayConfig(rows=6, cols=2, lanes=10, planes="always"), images=images)


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("mutant", [None, *MUTANTS])
def test_a_wrong_gate_is_noticed(mutant, monkeypatch):
    case = mutant_case()
    design = compile_network(case.network, case.config)
    assert [plan.planes for plan in design.layers] == [8, 6, 6]
    assert design.layers[0].fold.merged
    if mutant:
        plant(monkeypatch, *MUTANTS[mutant])
    result = simulate(design, case.images)
    assert result.ok == (mutant is None), result.summary()
