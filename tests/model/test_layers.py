import dataclasses

import numpy as np
import pytest

from rowloom.model.encodings import Binary
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Conv2d, Linear, MaxPool2d


def conv(**fields):
    given = {"weights": np.zeros((4, 3, 3, 2), int), "weight_encoding": Binary()} | fields
    return Conv2d(name="conv1", input="a", output="b", **given)


def linear(**fields):
    given = {"weights": np.zeros((4, 3, 3, 2), int), "weight_encoding": Binary()} | fields
    return Linear(name="fc", input="a", output="b", **given)


def pool(**fields):
    return MaxPool2d(name="pool", input="a", output="b", **({"kernel": (2, 2)} | fields))


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


def test_name_must_not_be_empty():
    with pytest.raises(RowloomError, match=r"^layer: name must be a string that is not empty, not ''$"):
        ArgMax(name="", input="a", output="b")
