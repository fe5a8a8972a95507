from dataclasses import replace

import numpy as np
import pytest

from rowloom.hw import DEFAULT, ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Binary, DoReFa, PowerOfTwo, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import AveragePool2d, Conv2d
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Requantize, Thresholds
from tests.hw.machines import records
from tests.hw.networks import BYTES, SUMS, Conv, Dense, Pool, make_network

SMALL = ArrayConfig(rows=6, cols=2, lanes=8)


def one_layer(layer, *, source=BYTES, target=SUMS, shape=(6, 6, 2)):
    """A network of one layer from tensor ``input`` to ``output``."""
    tensors = (
        Tensor(name="input", shape=shape, encoding=source),
        Tensor(name="output", shape=layer.output_shape(shape), encoding=target),
    )
    return Network(name="one", tensors=tensors, layers=(layer,), input="input", outputs=("output",))


def conv(filters=2, channels=2, **options):
    given = {
        "name": "conv", "input": "input", "output": "output", "weights": np.ones((filters, 3, 3, channels), int),
        "weight_encoding": Binary(),
    }  # fmt: skip
    return Conv2d(**given | options)


def thresholds(filters, levels):
    return Thresholds(values=np.arange(levels)[None].repeat(filters, 0), direction=np.ones(filters, np.int8))


REFUSED = {
    "groups-without-zero": (
        one_layer(conv(channels=1, filters=4, groups=2)),
        r"^conv: has 2 groups of Binary\(\) weights, groups need a weight of 0, or words of their own$",
    ),
    "groups-of-distances": (
        one_layer(conv(channels=1, groups=2, operation=Operation.ADDER, weight_encoding=Uniform(bits=8, signed=True))),
        r"^conv: has 2 groups of distances, groups need products, or words of their own$",
    ),
    "average-of-fewer-taps": (
        one_layer(
            AveragePool2d(name="pool", input="input", output="output", kernel=(3, 3), padding=(1, 1, 1, 1)),
        ),
        r"^pool: gives raw sums of windows that have fewer taps at the edges, they must become codes, or padding",
    ),
    "pad-value": (
        one_layer(conv(padding=(1, 1, 1, 1), pad_value=3)),
        r"^conv: pads with 3, the accelerator pads with 0$",
    ),
    "requantize-to-many-levels": (
        one_layer(conv(post=Requantize(multiplier=[1 << 30] * 2, shift=[0, 0])), target=Uniform(bits=9, signed=False)),
        r"^conv: gives Uniform\(.*bits=9.*\), the accelerator gives codes of up to 8 bits$",
    ),
    "many-levels": (
        one_layer(conv(post=thresholds(2, 511)), target=Uniform(bits=9, signed=False)),
        r"^conv: gives Uniform\(.*bits=9.*\), the accelerator gives codes of up to 8 bits$",
    ),
    "no-unit": (
        one_layer(conv(weight_encoding=DoReFa(2)), source=Uniform(bits=17, signed=True)),
        r"^conv: DoReFa\(k=2\) weights x Uniform\(.*bits=17.*\) activations: no arithmetic unit multiplies them",
    ),
    "dilated-first-layer": (
        make_network([Conv(filters=2, dilation=(2, 1)), Conv(filters=2)], shape=(8, 8, 2)),
        r"^conv0: a 3 x 3 window with dilation 2 and stride 1 does not map onto 2 columns and 4 banks$",
    ),
    "padding-that-is-not-zero": (
        one_layer(
            conv(padding=(1, 1, 1, 1), weight_encoding=DoReFa(2)), source=Uniform(bits=4, signed=False, zero_point=3)
        ),
        r"^conv: pads with Uniform\(.*\) codes, and DoReFa\(k=2\) weights of lanes without a channel count,"
        r" channels must be a multiple of 8$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused_by_name(case):
    network, message = REFUSED[case]
    with pytest.raises(RowloomError, match=message):
        compile_network(network, replace(SMALL, planes="never"))


def chain(**changed):
    """Two convolutions; tensors a and b behind them."""
    network = make_network([Conv(filters=3), Conv(filters=2)], shape=(8, 8, 1))
    given = {
        "name": network.name, "tensors": network.tensors, "layers": network.layers, "input": "input",
        "outputs": network.outputs,
    }  # fmt: skip
    return Network(**given | changed)


def test_outputs_leave_one_after_another():
    design = compile_network(chain(outputs=("conv1", "conv0")), SMALL)
    assert [(plan.name, plan.to_results) for plan in design.layers] == [
        ("conv0", False), ("conv1", True), ("send conv0", True)
    ]  # fmt: skip
    assert design.leaving == ("conv1", "conv0")
    assert design.hardware.outputs == 2
    assert not design.hides_streams


def test_raw_sums_in_the_middle_are_refused():
    first = conv(output="a")
    second = Conv2d(
        name="second", input="a", output="output", weights=np.ones((2, 1, 1, 2), int), weight_encoding=Binary()
    )
    tensors = (
        Tensor(name="input", shape=(6, 6, 2), encoding=BYTES),
        Tensor(name="a", shape=(4, 4, 2), encoding=Uniform(bits=16, signed=True)),
        Tensor(name="output", shape=(4, 4, 2), encoding=SUMS),
    )
    network = Network(name="two", tensors=tensors, layers=(first, second), input="input", outputs=("output",))
    match = r"^conv: gives raw sums of \d+ bits, which must be stored, the accelerator stores codes of up to 8 bits$"
    with pytest.raises(RowloomError, match=match):
        compile_network(network, SMALL)


NETWORK = make_network(
    [Conv(filters=9, padding=(1, 1, 1, 1)), Pool(), Conv(filters=12), Dense(filters=10, bias=True)],
    shape=(12, 10, 1),
    argmax=True,
)


def test_a_plan_for_every_layer():
    design = compile_network(NETWORK, SMALL)
    assert [plan.name for plan in design.layers] == ["conv0", "pool1", "conv2", "dense3"]
    assert [plan.unit for plan in design.layers] == ["sign", "pool", "xnor", "xnor"]
    assert [plan.tensor for plan in design.layers] == ["conv0", "pool1", "conv2", "argmax"]
    assert [plan.to_results for plan in design.layers] == [False, False, False, True]
    assert design.macs == NETWORK.macs() == sum(plan.macs for plan in design.layers)
    assert design.cycles > sum(plan.cycles for plan in design.layers)
    assert 0 < design.utilization < 1
    assert (design.input_beats, design.output_beats, design.input_bits) == (120, 1, 8)
    assert design.hardware.pool == len(design.hardware.arrays) == design.hardware.engines - 1


def test_maps_that_live_together_lie_apart():
    design = compile_network(NETWORK, SMALL)
    spans = {name: (layout.base, layout.base + layout.depth) for name, layout in design.layouts.items()}
    for first, second in [("input", "conv0"), ("conv0", "pool1"), ("pool1", "conv2"), ("input", "conv2")]:
        a, b = sorted((spans[first], spans[second]))
        assert a[1] <= b[0], (first, second)
    assert max(end for _, end in spans.values()) == design.hardware.bank_depth


def test_without_prefetch_the_input_is_overwritten():
    kept, shared = (
        compile_network(NETWORK, ArrayConfig(rows=6, cols=2, lanes=8, prefetch=prefetch)) for prefetch in (True, False)
    )
    assert shared.hardware.bank_depth < kept.hardware.bank_depth
    assert [record["release_input"] for record in records(kept)[1]] == [1, 0, 0, 0]
    assert [record["release_input"] for record in records(shared)[1]] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "config", [SMALL, DEFAULT, ArrayConfig(rows=1, cols=1, lanes=1)], ids=["small", "default", "1"]
)
def test_the_program_says_what_the_plan_does(config):
    design = compile_network(NETWORK, config)
    for plan, record in zip(design.layers, records(design)[1], strict=True):
        fold = plan.fold
        for name in ("words", "taps", "chunks", "blocks", "pixels", "strips", "steps"):
            assert record[name] + 1 == getattr(fold, name)
        assert record["bubbles"] == fold.bubbles
        assert record["strip"] == fold.strip
    assert [record["last"] for record in records(design)[1]] == [0, 0, 0, 1]
    assert records(design)[1][3]["argmax"] == 1


def test_images_have_the_size_that_the_hardware_says():
    design = compile_network(NETWORK, SMALL)
    for words, array in zip(design.images.weights, design.hardware.arrays, strict=True):
        assert len(words) == array.rows
        products = array.lanes * (design.hardware.group if array.stacked else 1)
        for row in words:
            assert len(row) == array.weight_depth
            assert all(0 <= word < 1 << products for word in row)
    assert len(design.images.thresholds) == design.hardware.drains
    for (table,) in design.images.thresholds:
        assert len(table) == design.hardware.threshold_depth
        assert all(0 <= word < 1 << design.hardware.sum_bits + 1 for word in table)


def test_memories_of_wider_codes_double_with_every_bit():
    codes = Uniform(bits=3, signed=True)
    network = make_network([Conv(filters=5, codes=codes), Pool(), Conv(filters=2)], shape=(8, 8, 1))
    design = compile_network(network, SMALL)
    hw = design.hardware
    assert (hw.levels, hw.code_bits, hw.pooled, hw.result_codes) == (3, (3,), ((3, True),), ((3, True),))
    for lane in design.images.thresholds:
        assert [len(words) for words in lane] == [hw.threshold_depth << level for level in range(3)]
        assert all(0 <= word < 1 << hw.sum_bits for words in lane[1:] for word in words)
    assert [record["code_base"] for record in records(design)[1]] == [4, 0, 0]


def test_formats_of_several_widths_are_chosen_by_the_record():
    """Codes of one layer are 3 bits, those of the next 2: a packer of each width."""
    specs = [
        Conv(filters=5, codes=Uniform(bits=3, signed=False)),
        Conv(filters=5, codes=Uniform(bits=2, signed=False)),
        Pool(),
        Conv(filters=4, codes=Uniform(bits=3, signed=False)),
        Dense(filters=2),
    ]
    design = compile_network(make_network(specs, shape=(12, 12, 1)), SMALL)
    assert (design.hardware.code_bits, design.hardware.pooled) == ((2, 3), ((2, False),))
    assert [record["format"] for record in records(design)[1]] == [1, 0, 0, 1, 0]
    assert design.hardware.levels == 3


def test_codes_have_as_many_levels_as_bits():
    """Also where a power of two leaves codes of its bits unused: they stand side by side in words."""
    codes = PowerOfTwo(bits=4, e_min=0, e_max=2)
    assert codes.code_max - codes.code_min < 1 << 3
    network = make_network([Conv(filters=5, codes=codes), Conv(filters=2)], shape=(8, 8, 1))
    assert compile_network(network, SMALL).hardware.levels == 4


@pytest.mark.parametrize("codes", [Uniform(bits=8, signed=False), Uniform(bits=8, signed=True)], ids=str)
def test_results_hold_codes_that_are_wider_than_the_sums(codes):
    network = make_network([Conv(filters=2, kernel=(1, 1), codes=codes)], shape=(2, 2, 1), encoding=Binary(), raw=False)
    assert compile_network(network, SMALL).output_bits >= 8 + (not codes.signed)


def test_the_cheaper_fold_is_chosen():
    """1 x 1 kernels have one row to a filter; 3 x 3 kernels on chains of three rows give it three."""
    design = compile_network(
        make_network([Conv(filters=4), Conv(filters=4), Conv(filters=9, kernel=(1, 1))], shape=(9, 9, 1)),
        ArrayConfig(rows=3, cols=1, lanes=8),
    )
    assert [plan.fold.sum_rows for plan in design.layers[1:]] == [True, False]


@pytest.mark.parametrize("height", [1, 2, 4])
def test_maps_of_one_row_of_banks_compile(height):
    """Their step to a next row of banks is as large as a bank is deep."""
    network = make_network([Conv(filters=3, kernel=(1, 1))], shape=(height, 4, 1))
    design = compile_network(network, ArrayConfig(rows=3, cols=2, lanes=8, planes="never"))
    assert design.hardware.bank_depth == 4


@pytest.mark.parametrize("spread", [7, 30])
def test_padding_and_dilation_may_exceed_the_map(spread):
    specs = [Conv(filters=3, kernel=(1, 1)), Conv(filters=2, dilation=(spread, spread), padding=(2 * spread,) * 4)]
    design = compile_network(make_network(specs, shape=(2, 3, 1)), ArrayConfig(rows=3, cols=2, lanes=4))
    record = records(design)[1][1]
    assert (record["x_first"], record["y_first"]) == (-2 * spread, -2 * spread)


UNITS = make_network(
    [Conv(filters=3, weights=DoReFa(2), codes=Uniform(bits=8, signed=False)), Dense(filters=2, weights=DoReFa(4))],
    shape=(6, 6, 2),
)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        # The first layer is nearer: its weights are few enough bits, only its pixels are not.
        (
            ("lut",),
            r"^conv0: lut is asked for, but takes no layer: lut unit: does not take DoReFa\(k=2\) weights x "
            r"Uniform\(bits=8, signed=False\) activations, the nearest pair that it takes is DoReFa\(k=2\) weights x "
            r"Uniform\(bits=4, signed=False\) activations: ",
        ),
        (("multiply", "xnor"), r"^conv0: xnor is asked for, but takes no layer: xnor unit: does not take DoReFa"),
        (("adder",), r"^adder unit: is asked for, but no layer of random sums distances$"),
    ],
)
def test_a_unit_that_was_asked_for_in_vain_is_told(units, message):
    """Not passed over in silence."""
    with pytest.raises(RowloomError, match=message):
        compile_network(UNITS, replace(SMALL, units=units))


def test_a_unit_that_takes_one_layer_is_preferred_there():
    network = make_network([Conv(filters=3, codes=BYTES), Dense(filters=2, weights=DoReFa(4))], shape=(6, 6, 2))
    design = compile_network(network, replace(SMALL, units=("sign", "multiply")))
    assert [layer.unit for layer in design.layers] == ["sign", "multiply"]
