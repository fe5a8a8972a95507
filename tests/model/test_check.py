import numpy as np
import pytest

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, ChannelShuffle, Concat, DepthToSpace, Upsample
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize, Thresholds

NIBBLE = Uniform(bits=4, signed=False)
SUMS = Uniform(bits=12, signed=True)


def build(layer, *, second=NIBBLE, shape=(4, 4, 4), target=SUMS):
    """A network of two inputs x and y, y a rescaling of x to another encoding, and the layer that reads them."""
    codes = second.code_max - second.code_min + 1
    table = second.decode(second.code_min + np.arange(16) % codes)
    first = Add(name="y", inputs=("x",), output="y", tables=(table,))
    tensors = (
        Tensor(name="x", shape=(4, 4, 4), encoding=NIBBLE),
        Tensor(name="y", shape=(4, 4, 4), encoding=second),
        Tensor(name="z", shape=shape, encoding=target),
    )
    return Network(name="n", tensors=tensors, layers=(first, layer), input="x", outputs=("y", "z"))


def add(tables=(range(16), range(16)), **fields):
    return Add(name="add", inputs=("x", "y"), output="z", tables=tuple(map(np.array, tables)), **fields)


def test_accepts_what_fits():
    build(add())
    build(add(bias=np.arange(4)), target=Uniform(bits=12, signed=False, zero_point=9))
    build(Concat(name="j", inputs=("x", "y"), output="z"), shape=(4, 4, 8), target=NIBBLE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: build(add((np.arange(16), np.arange(15)))),
            r"table 1 has 15 entries, but y has 16 codes, must have one for each code$",
        ),
        (lambda: build(add(), second=Binary()), r"table 1 has 16 entries, but y has 2 codes, must have one"),
        (lambda: build(add(), shape=(4, 4, 5)), r"gives \(4, 4, 4\), but z is \(4, 4, 5\)$"),
        (lambda: build(add((np.arange(16) << 50,) * 2)), r"its sums need 56 bits, must be at most 48$"),
        (lambda: build(add(), target=NIBBLE), r"gives sums of 0 to 30, more than Uniform\(bits=4, .*\) holds$"),
        (
            lambda: build(add(post=Thresholds(values=np.zeros((4, 3), int), direction=np.ones(4, int)))),
            r"has 3 thresholds a channel, Uniform\(bits=12, .*\) needs 4095$",
        ),
        (
            lambda: build(add(post=Requantize(multiplier=np.ones(3, int), shift=np.zeros(3, int)))),
            r"has 3 multipliers, must have one for each of 4$",
        ),
        (
            lambda: build(Concat(name="add", inputs=("x", "y"), output="z"), shape=(4, 4, 8)),
            r"must keep Uniform\(bits=4, .*\), not give Uniform\(bits=12",
        ),
        (
            lambda: build(
                Concat(name="add", inputs=("x", "y"), output="z"), shape=(4, 4, 8), second=Binary(), target=NIBBLE
            ),
            r"must keep Binary\(\), not give Uniform\(bits=4",
        ),
        (lambda: build(ChannelShuffle(name="add", input="x", output="z", groups=2)), r"must keep Uniform\(bits=4"),
        (lambda: build(Upsample(name="add", input="x", output="z"), shape=(8, 8, 4)), r"must keep Uniform\(bits=4"),
        (
            lambda: build(DepthToSpace(name="add", input="x", output="z", block=2), shape=(8, 8, 1)),
            r"must keep Uniform\(bits=4",
        ),
        (
            lambda: build(
                AveragePool2d(name="add", input="x", output="z", kernel=(2, 2)), shape=(2, 2, 4), target=NIBBLE
            ),
            r"gives sums of 0 to 60, more than Uniform\(bits=4, .*\) holds$",
        ),
    ],
)
def test_refuses_by_place_and_name(make, message):
    with pytest.raises(RowloomError, match=r"^layer 1 \(add\): " + message):
        make()
