"""Functions of single codes, as thresholds: every code of every function."""

import numpy as np
import pytest

from rowloom.model.encodings import PowerOfTwo, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize
from rowloom.model.rewrites.multiples import multipliers
from rowloom.model.rewrites.tables import with_thresholds

SIGNED = Uniform(bits=8, signed=True, zero_point=-3)
RANDOM = np.random.default_rng(5)
FUNCTIONS = {
    "rises": np.sort(RANDOM.integers(-128, 128, 256)),
    "falls": np.sort(RANDOM.integers(-128, 128, 256))[::-1],
    "jumps": np.repeat([-128, -7, -6, 90, 127], [100, 30, 1, 5, 120]),
    "stays": np.full(256, 17),
    "falls, then rises": np.abs(np.arange(-100, 156) // 2) - 40,
    "goes up and down": np.rint(30 * np.sin(np.arange(256) / 30)).astype(int),
    "by more than a code": np.rint(127 * np.sin(np.arange(256) / 20)).astype(int),
}


def network_of(table, *, source=SIGNED, target=SIGNED, post=None, channels=1, more=()):
    """All codes as a map, looked up."""
    tensors = [
        Tensor(name="x", shape=(1, 1, channels), encoding=source),
        Tensor(name="y", shape=(1, 1, channels), encoding=target),
    ]
    layer = Add(name="y", inputs=("x",), output="y", tables=(np.asarray(table),), post=post)
    for each in more:
        tensors.append(Tensor(name=each.output, shape=(1, 1, channels), encoding=target))
    return Network(
        name="table", tensors=tuple(tensors), layers=(layer, *more), input="x", outputs=(tensors[-1].name,)
    )  # fmt: skip


def assert_same(network):
    """Every code of every channel gives what it gave, now by multiples and thresholds alone."""
    made = with_thresholds(network)
    for layer in made.layers:
        if isinstance(layer, Add):
            assert multipliers(layer, [made.tensor(name).encoding for name in layer.inputs]) is not None
    source = network.tensor("x")
    codes = source.encoding.every_code.astype(source.encoding.dtype)
    maps = np.tile(codes[:, None, None, None], source.shape)
    want, got = network.run(maps, keep="all"), made.run(maps, keep="all")
    for name, values in want.items():
        assert np.array_equal(got[name], values), name
    return made.layers


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_code(name):
    layers = assert_same(network_of(SIGNED.decode(FUNCTIONS[name])))
    parts = {"falls, then rises": 3, "goes up and down": 3, "by more than a code": 6}
    assert len(layers) == parts.get(name, 1)


def test_codes_whose_values_do_not_rise():
    source = PowerOfTwo(bits=4, e_min=0, e_max=6)
    codes = np.arange(source.code_max - source.code_min + 1) * 3 % 16
    assert_same(network_of(codes, source=source, target=Uniform(bits=4, signed=False)))


def test_a_function_of_its_own_for_every_channel():
    """One channel falls, one rises, one does both."""
    table = np.abs(np.arange(-128, 128)) * 3 + np.arange(256) % 5
    post = Requantize(multiplier=[1 << 30, 1 << 29, 1 << 28], shift=[0, 0, 0])
    assert_same(network_of(table, post=post, channels=3))


def test_a_multiple_between_layers_counts_the_values_it_reaches():
    pool = MaxPool2d(name="z", input="y", output="z", kernel=(1, 1))
    narrow = Uniform(bits=6, signed=True)
    (first, second) = assert_same(network_of(2 * narrow.every_value, source=narrow, target=SIGNED, more=[pool]))
    assert first.post is not None
    assert second is pool


def test_a_multiple_at_the_end_stays():
    network = network_of(2 * np.arange(-32, 32), source=Uniform(bits=6, signed=True))
    assert with_thresholds(network, straight=network.outputs) is network


def test_what_goes_up_and_down_by_more_codes_than_there_are():
    with pytest.raises(
        RowloomError, match=r"^y: is a function of codes that rises by \d+ codes in all, must be at most"
    ):
        with_thresholds(network_of(SIGNED.decode(np.where(np.arange(256) % 2, 100, -100))))
