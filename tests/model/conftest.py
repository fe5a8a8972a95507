"""Small networks that the tests of this room share."""

import numpy as np
import pytest

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.layers import ArgMax, Conv2d, Linear, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Thresholds


def binary_thresholds(rng: np.random.Generator, channels: int, spread: int) -> Thresholds:
    return Thresholds(values=rng.integers(-spread, spread + 1, (channels, 1)), direction=rng.choice([-1, 1], channels))


@pytest.fixture
def small_network() -> Network:
    """Two convolutions, a pool, a dense layer and an argmax, on 6 x 5 maps with 3 channels of 4 bits."""
    rng = np.random.default_rng(7)
    pixels = Uniform(bits=4, signed=False)
    return Network(
        name="small",
        tensors=(
            Tensor(name="input", shape=(6, 5, 3), encoding=pixels, scale=1 / 15),
            Tensor(name="conv1", shape=(6, 5, 7), encoding=Binary()),
            Tensor(name="pool1", shape=(3, 2, 7), encoding=Binary()),
            Tensor(name="conv2", shape=(3, 2, 5), encoding=Binary()),
            Tensor(name="fc3", shape=(1, 1, 4), encoding=Uniform(bits=6, signed=True)),
            Tensor(name="class", shape=(1, 1, 1), encoding=Uniform(bits=2, signed=False)),
        ),
        layers=(
            Conv2d(
                name="conv1",
                input="input",
                output="conv1",
                weights=rng.integers(0, 2, (7, 3, 3, 3)),
                weight_encoding=Binary(),
                padding=(1, 1, 1, 1),
                post=binary_thresholds(rng, 7, 60),
            ),
            MaxPool2d(name="pool1", input="conv1", output="pool1", kernel=(2, 2)),
            Conv2d(
                name="conv2",
                input="pool1",
                output="conv2",
                weights=rng.integers(0, 2, (5, 3, 3, 7)),
                weight_encoding=Binary(),
                padding=(1, 1, 1, 1),
                post=binary_thresholds(rng, 5, 10),
            ),
            Linear(
                name="fc3",
                input="conv2",
                output="fc3",
                weights=rng.integers(0, 2, (4, 3, 2, 5)),
                weight_encoding=Binary(),
            ),
            ArgMax(name="argmax", input="fc3", output="class"),
        ),
        input="input",
        outputs=("class",),
        about={"from": "a test", "accuracy": 0.25},
    )
