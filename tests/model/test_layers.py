import dataclasses

import numpy as np
import pytest

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import (
    OPS,
    Add,
    ArgMax,
    AveragePool2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    DepthToSpace,
    Linear,
    MaxPool2d,
    Upsample,
)


def conv(**fields):
    given = {"weights": np.zeros((4, 3, 3, 2), int), "weight_encoding": Binary()} | fields
    return Conv2d(name="conv1", input="a", output="b", **given)


def linear(**fields):
    given = {"weights": np.zeros((4, 3, 3, 2), int), "weight_encoding": Binary()} | fields
    return Linear(name="fc", input="a", output="b", **given)


def pool(**fields):
    return MaxPool2d(name="pool", input="a", output="b", **({"kernel": (2, 2)} | fields))


def average(**fields):
    return AveragePool2d(name="pool", input="a", output="b", **({"kernel": (3, 3)} | fields))


def add(**fields):
    given = {"inputs": ("a", "b"), "tables": (np.arange(4), np.arange(2))} | fields
    return Add(name="add", output="c", **given)


def concat(**fields):
    return Concat(name="join", output="c", **({"inputs": ("a", "b")} | fields))


def shuffle(**fields):
    return ChannelShuffle(name="mix", input="a", output="b", **({"groups": 2} | fields))


def upsample(**fields):
    return Upsample(name="up", input="a", output="b", **fields)


def squares(**fields):
    return DepthToSpace(name="d2s", input="a", output="b", **({"block": 2} | fields))


def test_weights_are_read_only_and_fields_frozen():
    layer = conv()
    assert layer.weights.dtype == np.uint8
    assert not layer.weights.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        layer.groups = 2


def test_shapes_and_macs():
    assert conv(padding=(1, 1, 1, 1)).output_shape((8, 7, 2)) == (8, 7, 4)
    assert conv(padding=(1, 1, 1, 1)).macs((8, 7, 2)) == 8 * 7 * 4 * 3 * 3 * 2
    assert conv(stride=(2, 3), dilation=(2, 1), padding=(1, 2, 0, 1)).output_shape((8, 7, 2)) == (4, 2, 4)
    assert conv(groups=2).output_shape((3, 3, 4)) == (1, 1, 4)
    assert conv(groups=2).macs((3, 3, 4)) == 4 * 3 * 3 * 2
    assert linear().output_shape((3, 3, 2)) == (1, 1, 4)
    assert linear().macs((3, 3, 2)) == 72
    assert pool().stride == (2, 2)
    assert pool().output_shape((7, 6, 5)) == (3, 3, 5)
    assert pool(kernel=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1)).output_shape((7, 6, 5)) == (4, 3, 5)
    assert ArgMax(name="am", input="a", output="b").output_shape((1, 1, 9)) == (1, 1, 1)
    assert average(stride=(2, 1), padding=(1, 0, 1, 1)).output_shape((7, 6, 5)) == (3, 6, 5)
    assert add().output_shape((7, 6, 5), (7, 6, 5)) == (7, 6, 5)
    assert concat(inputs=("a", "b", "a")).output_shape((7, 6, 5), (7, 6, 1), (7, 6, 5)) == (7, 6, 11)
    assert shuffle(groups=5).output_shape((7, 6, 5)) == (7, 6, 5)
    assert upsample(factor=3).output_shape((7, 6, 5)) == (21, 18, 5)
    assert squares().output_shape((7, 6, 12)) == (14, 12, 3)
    for layer in (average(), add(inputs=("a",), tables=(np.arange(4),)), shuffle(), upsample(), squares()):
        assert layer.macs((8, 8, 4)) == 0
    assert concat().macs((8, 8, 4), (8, 8, 4)) == 0


def test_every_layer_tells_its_inputs_in_order():
    assert conv().inputs == ("a",)
    assert add(inputs=("b", "a")).inputs == ("b", "a")
    assert sorted(OPS) == [
        "add", "argmax", "average_pool2d", "channel_shuffle", "concat", "conv2d", "depth_to_space", "linear",
        "max_pool2d", "upsample",
    ]  # fmt: skip


def test_depthwise_is_a_channel_a_group():
    assert conv(weights=np.zeros((4, 3, 3, 1), int), groups=4).depthwise
    assert conv(weights=np.zeros((8, 3, 3, 1), int), groups=4).depthwise
    assert not conv(weights=np.zeros((4, 3, 3, 1), int)).depthwise
    assert not conv(groups=4).depthwise


@pytest.mark.parametrize(
    ("fields", "shape", "scale", "factors"),
    [
        ({}, (6, 6, 1), 9, ([1, 1], [1, 1])),
        ({"padding": (1, 1, 0, 0), "stride": (1, 3)}, (3, 6, 1), 6 * 3, ([3, 2, 3], [1, 1])),
        ({"padding": (1, 1, 1, 1), "stride": (1, 1)}, (4, 3, 1), 36, ([3, 2, 2, 3], [3, 2, 3])),
        ({"padding": (1, 1, 1, 1), "count_include_pad": True}, (4, 3, 1), 9, ([1, 1], [1])),
        # Every window loses the same taps to padding: nothing to make equal.
        ({"padding": (1, 0, 0, 0), "stride": (9, 9)}, (2, 3, 1), 6, ([1], [1])),
    ],
)
def test_scale_of_an_average(fields, shape, scale, factors):
    assert average(**fields).scale(shape) == scale
    assert average(**fields).factors(shape) == factors


def test_scaled_addition_has_a_product_for_every_code():
    layer = Add.scaled(
        name="add",
        inputs=("a", "b"),
        output="c",
        encodings=(Binary(), Uniform(bits=2, signed=True, zero_point=1)),
        multipliers=(5, -3),
    )
    assert [table.tolist() for table in layer.tables] == [[-5, 5], [9, 6, 3, 0]]
    assert not layer.tables[0].flags.writeable


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (
            conv,
            {"weights": np.full((4, 3, 3, 2), 2)},
            r"^conv1 weights: code 2 is outside Binary\(\), codes must be in",
        ),
        (conv, {"weights": np.zeros((4, 3, 3, 2))}, r"^conv1 weights: codes must be integers, not float64$"),
        (conv, {"weights": np.zeros((4, 3, 3), int)}, r"^conv1 weights: must have 4 axes, not 3$"),
        (conv, {"weights": np.zeros((0, 3, 3, 2), int)}, r"^conv1 weights: must not be empty, but are \(0, 3, 3, 2\)$"),
        (conv, {"weight_encoding": "binary"}, r"^conv1: weight_encoding must be an Encoding, not 'binary'$"),
        (conv, {"stride": (0, 1)}, r"^conv1: stride must be a tuple of 2 integers of at least 1, not \(0, 1\)$"),
        (conv, {"stride": 1}, r"^conv1: stride must be a tuple of 2 integers of at least 1, not 1$"),
        (conv, {"dilation": (1,)}, r"^conv1: dilation must be a tuple of 2 integers of at least 1, not \(1,\)$"),
        (conv, {"padding": (0, 0, 0, -1)}, r"^conv1: padding must be a tuple of 4 integers of at least 0, not "),
        (conv, {"padding": (3, 0, 0, 0)}, r"^conv1: top and bottom padding must be at most 2, not 3$"),
        (conv, {"padding": (0, 0, 0, 3)}, r"^conv1: left and right padding must be at most 2, not 3$"),
        (conv, {"groups": 0}, r"^conv1: groups must be an integer of at least 1, not 0$"),
        (conv, {"groups": 3}, r"^conv1: has 4 filters, not a multiple of 3 groups$"),
        (conv, {"operation": "adder"}, r"^conv1: operation must be an Operation, not 'adder'$"),
        (linear, {"operation": None}, r"^fc: operation must be an Operation, not None$"),
        (conv, {"pad_value": 0.5}, r"^conv1: pad_value must be an integer of at most 48 bits, not 0\.5$"),
        (conv, {"bias": np.zeros(3, int)}, r"^conv1: bias must have 4 entries, not 3$"),
        (conv, {"bias": np.zeros(4)}, r"^conv1 bias: must be integers, not float64$"),
        (linear, {"weights": np.full((4, 3, 3, 2), -1)}, r"^fc weights: code -1 is outside Binary\(\)"),
        (pool, {"kernel": (0, 2)}, r"^pool: kernel must be a tuple of 2 integers of at least 1, not \(0, 2\)$"),
        (average, {"stride": (1, -1)}, r"^pool: stride must be a tuple of 2 integers of at least 1, not \(1, -1\)$"),
        (average, {"padding": (0, 0, 0, 3)}, r"^pool: padding \(0, 0, 0, 3\) must be less than the window \(3, 3\)$"),
        (average, {"count_include_pad": 1}, r"^pool: count_include_pad must be True or False, not 1$"),
        (average, {"bias": np.zeros(3)}, r"^pool bias: must be integers, not float64$"),
        (add, {"inputs": ()}, r"^add: inputs must be a tuple of names, not \(\)$"),
        (add, {"inputs": ["a", "b"]}, r"^add: inputs must be a tuple of names, not \['a', 'b'\]$"),
        (add, {"inputs": ("a", "")}, r"^layer: input must be a string that is not empty, not ''$"),
        (add, {"inputs": ("a",)}, r"^add: tables must be a tuple of one for each of 1 inputs, not 2$"),
        (add, {"tables": [np.arange(3)] * 2}, r"^add: tables must be a tuple of one for each of 2 inputs, not \["),
        (add, {"tables": (np.arange(3), np.zeros(3))}, r"^add table 1: must be integers, not float64$"),
        (shuffle, {"groups": 0}, r"^mix: groups must be an integer of at least 1, not 0$"),
        (upsample, {"factor": 0}, r"^up: factor must be an integer of at least 1, not 0$"),
        (upsample, {"factor": 1.5}, r"^up: factor must be an integer of at least 1, not 1\.5$"),
        (squares, {"block": 0}, r"^d2s: block must be an integer of at least 1, not 0$"),
        (squares, {"mode": "RCD"}, r"^d2s: mode must be 'DCR' or 'CRD', not 'RCD'$"),
        (pool, {"padding": (2, 0, 0, 0)}, r"^pool: padding \(2, 0, 0, 0\) must be less than the window \(2, 2\)$"),
    ],
)
def test_refuses(make, fields, message):
    with pytest.raises(RowloomError, match=message):
        make(**fields)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (conv(), (5, 5, 3), r"^conv1: has weights for 2 channels, but a has 3$"),
        (conv(), (2, 5, 2), r"^conv1: a window of \(3, 3\) does not fit into a padded map of \(2, 5, 2\)$"),
        (linear(), (3, 4, 2), r"^fc: has weights for a map of \(3, 3, 2\), but a is \(3, 4, 2\)$"),
        (pool(), (1, 5, 2), r"^pool: a window of \(2, 2\) does not fit"),
        (ArgMax(name="am", input="a", output="b"), (1, 2, 3), r"^am: takes a 1 x 1 map, but a is \(1, 2, 3\)$"),
    ],
)
def test_refuses_input_shape(layer, shape, message):
    with pytest.raises(RowloomError, match=message):
        layer.output_shape(shape)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (average(), [(2, 5, 2)], r"^pool: a window of \(3, 3\) does not fit"),
        (average(bias=np.arange(2)), [(5, 5, 3)], r"^pool: bias must have 3 entries, not 2$"),
        (
            add(),
            [(2, 5, 2), (2, 5, 3)],
            r"^add: adds maps of equal shape, but a is \(2, 5, 2\) and b is \(2, 5, 3\)$",
        ),
        (add(bias=np.arange(2)), [(5, 5, 3)] * 2, r"^add: bias must have 3 entries, not 2$"),
        (
            concat(),
            [(2, 5, 2), (5, 2, 2)],
            r"^join: joins maps of equal height and width, but a is \(2, 5, 2\) and b is \(5, 2, 2\)$",
        ),
        (shuffle(), [(2, 5, 3)], r"^mix: shuffles 2 groups, but a has 3 channels, not a multiple$"),
        (squares(), [(2, 5, 6)], r"^d2s: makes squares of 4 channels, but a has 6, not a multiple$"),
    ],
)
def test_refuses_input_shapes(layer, shapes, message):
    with pytest.raises(RowloomError, match=message):
        layer.output_shape(*shapes)


def test_name_must_not_be_empty():
    with pytest.raises(RowloomError, match=r"^layer: name must be a string that is not empty, not ''$"):
        ArgMax(name="", input="a", output="b")
