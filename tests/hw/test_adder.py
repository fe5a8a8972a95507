"""Accelerators of the adder operation, and of padding that counts, against the golden model: every value and cycle."""

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, DoReFa, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.operation import Operation
from tests.hw.networks import BYTES, Case, Conv, Dense, Pool, constant_layers, make_network, random_codes
from tests.hw.test_accelerator import plant
from tests.hw.test_formats import check

ADDER = Operation.ADDER
NIBBLES = Uniform(bits=4, signed=False)
WEIGHTS = Uniform(bits=4, signed=True)
AROUND = (1, 1, 1, 1)


def adder(filters=6, **given):
    """A convolution of distances."""
    return Conv(**{"filters": filters, "weights": WEIGHTS, "codes": NIBBLES, "operation": ADDER} | given)


def case_of(specs, *, shape=(9, 8, 3), encoding=BYTES, config=None, seed=0, raw=True):
    network = make_network(specs, shape=shape, encoding=encoding, raw=raw, seed=seed)
    images = random_codes(np.random.default_rng(seed), encoding, (4, *shape))
    return Case(network=network, config=config or ArrayConfig(rows=4, cols=2, lanes=6, drains=2), images=images)


CASES = {
    # Nothing at a padded tap: whole rows and columns of a map are told from zeros.
    "padding-of-nothing": lambda: case_of(
        [adder(padding=AROUND, weights=Uniform(bits=8, signed=True)), Pool(), adder(padding=AROUND), Dense(filters=4)],
        seed=1,
    ),
    # As in AdderNet: a padded tap is a zero like any other.
    "padding-of-zeros": lambda: case_of(
        [adder(padding=AROUND, pad_value=0), adder(padding=(2, 0, 1, 2), pad_value=0, stride=(2, 1))], seed=2
    ),
    # Both in one network, on arrays of their own; the layers without padding take either.
    "both-paddings": lambda: case_of(
        [
            adder(padding=AROUND, pad_value=0),
            adder(padding=AROUND),
            adder(kernel=(1, 1), bias=True),
            Dense(filters=5, weights=WEIGHTS, operation=ADDER),
        ],
        encoding=NIBBLES,
        seed=3,
    ),
    # Tables; signed codes on both sides; a kernel taller than a chunk.
    "narrow-and-signed": lambda: case_of(
        [
            adder(weights=Ternary(), codes=Ternary(), padding=(3, 3, 1, 0), kernel=(5, 2)),
            adder(weights=Quinary(), codes=Uniform(bits=3, signed=True), padding=AROUND, pad_value=0),
            Dense(filters=3, weights=Uniform(bits=5, signed=True), codes=Uniform(bits=4, signed=True), operation=ADDER),
        ],
        encoding=Uniform(bits=2, signed=False),
        shape=(9, 7, 2),
        seed=4,
        raw=False,
    ),
    # The first layer on a stacked array of its own, zeros of the padding side by side with pixels.
    "stacked": lambda: case_of(
        [adder(padding=AROUND, pad_value=0, kernel=(5, 3)), adder(padding=AROUND), Dense(filters=3)],
        shape=(9, 8, 2),
        config=ArrayConfig(rows=6, cols=2, lanes=8, drains=2, input_lanes=6),
        seed=5,
    ),
    "stacked-without-padding": lambda: case_of(
        [adder(kernel=(2, 3)), adder(padding=AROUND)],
        shape=(7, 8, 2),
        config=ArrayConfig(rows=3, cols=2, lanes=8, input_lanes=6),
        seed=6,
    ),
    # A padded tap whose value is that of code 0, on units that would otherwise be told to skip it.
    "value-of-code-0": lambda: case_of(
        [
            Conv(filters=5, weights=DoReFa(2), codes=Uniform(bits=3, signed=False, zero_point=2)),
            Conv(filters=7, padding=AROUND, pad_value=-2, weights=WEIGHTS, codes=Binary()),
            Conv(filters=6, padding=AROUND, pad_value=-1, kernel=(4, 3)),
            Conv(filters=4, padding=AROUND, pad_value=-1, weights=Ternary(), codes=DoReFa(2)),
            Conv(filters=4, padding=AROUND, pad_value=-3, weights=DoReFa(2), kernel=(5, 3)),
            Dense(filters=3),
        ],
        shape=(8, 7, 3),
        config=ArrayConfig(rows=4, cols=2, lanes=5, drains=1, group=3),
        seed=7,
    ),
}


@pytest.fixture(scope="module", params=CASES)
def compiled(request):
    case = CASES[request.param]()
    return case, compile_network(case.network, case.config)


def arrays(name):
    case = CASES[name]()
    return compile_network(case.network, case.config).hardware.arrays


def test_the_cases_show_something(compiled):
    assert not constant_layers(compiled[0])


@pytest.mark.cocotb
@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
def test_matches_golden_and_the_cycle_model(compiled, stalls):
    check(*compiled, stalls=stalls, seed=1)


def test_layers_share_an_array_where_their_paddings_do():
    """Those of nothing and those of zeros do not; layers without padding cost no array."""
    assert [(each.unit, each.live_padding) for each in arrays("both-paddings")] == [("adder", True), ("adder", False)]
    assert all(each.live_padding for each in arrays("padding-of-zeros"))
    assert not any(each.live_padding for each in arrays("padding-of-nothing"))


def test_a_stacked_array_needs_padding_of_zeros():
    """A row of pixels and a row that contributes nothing cannot share a word."""
    assert [each.stacked for each in arrays("stacked")] == [True, False, False]
    assert [each.stacked for each in arrays("stacked-without-padding")] == [True, False]
    assert not any(each.stacked for each in arrays("padding-of-nothing"))


def test_packed_windows_need_padding_of_zeros():
    def packed(**given):
        config = ArrayConfig(rows=4, cols=2, lanes=6, drains=2, input_lanes=3)
        case = case_of([adder(**given), adder()], shape=(9, 8, 1), config=config)
        return compile_network(case.network, case.config).layout("input").packed

    assert packed(padding=(1, 1, 1, 1), pad_value=0)
    assert packed(padding=(1, 1, 0, 0))
    assert not packed(padding=(0, 0, 1, 0))


def test_a_zero_of_products_is_no_padding_that_counts():
    """Whatever code 0 means, a product with 0 is nothing."""
    case = case_of([Conv(filters=3, padding=AROUND, pad_value=0)], encoding=Binary())
    design = compile_network(case.network, case.config)
    assert not any(each.live_padding for each in design.hardware.arrays)


@pytest.mark.parametrize(
    ("spec", "encoding", "message"),
    [
        (adder(padding=AROUND, pad_value=1), NIBBLES, r"^conv0: pads with 1, the accelerator pads with 0$"),
        (
            Conv(filters=2, padding=AROUND, pad_value=1, weights=WEIGHTS),
            Uniform(bits=4, signed=False, zero_point=2),
            r"^conv0: pads with 1, the accelerator pads with 0 or with -2, which code 0 of its input means$",
        ),
    ],
)
def test_refuses_other_values(spec, encoding, message):
    case = case_of([spec], encoding=encoding)
    with pytest.raises(RowloomError, match=message):
        compile_network(case.network, case.config)


#: Module, text in it, text instead of it, and the case that shows it.
MUTANTS = {
    "complements-the-negative": ("units.adder", "positive = ~difference[-1]", "positive = difference[-1]", 0),
    "a-carry-too-few": ("units.adder", "[carry for _, carry in pairs]", "[Const(0, 1) for _ in pairs]", 0),
    "padding-is-not-gated": ("units.adder", "with m.If(~live):", "with m.If(Const(0)):", 0),
    "padding-is-gated": ("array", "self.parameters.live_padding | live", "live", 1),
    "table-of-products": ("units.adder", "distance = abs(", "distance = -abs(", 3),
}


@pytest.mark.slow
@pytest.mark.cocotb
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_gate_is_noticed(mutant, monkeypatch):
    from rowloom.sim import simulate

    *change, index = MUTANTS[mutant]
    case = list(CASES.values())[index]()
    plant(monkeypatch, *change)
    assert not simulate(compile_network(case.network, case.config), case.images).ok
