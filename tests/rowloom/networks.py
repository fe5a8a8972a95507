"""A small network with every kind of layer that the first accelerators run."""

import numpy as np

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Linear, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Thresholds


def thresholds(rng, filters, spread):
    return Thresholds(
        values=rng.integers(-spread, spread + 1, (filters, 1)), direction=rng.choice([-1, 1], filters).astype(np.int8)
    )


def small_network(seed=0):
    rng = np.random.default_rng(seed)
    tensors = (
        Tensor(name="x", shape=(8, 8, 1), encoding=Uniform(bits=8, signed=False), scale=1 / 255),
        Tensor(name="a", shape=(8, 8, 8), encoding=Binary()),
        Tensor(name="b", shape=(4, 4, 8), encoding=Binary()),
        Tensor(name="c", shape=(4, 4, 16), encoding=Binary()),
        Tensor(name="y", shape=(1, 1, 10), encoding=Uniform(bits=12, signed=True), scale=0.5),
    )
    layers = (
        Conv2d(
            name="first",
            input="x",
            output="a",
            weights=rng.integers(0, 2, (8, 3, 3, 1)),
            weight_encoding=Binary(),
            padding=(1, 1, 1, 1),
            post=thresholds(rng, 8, 300),
        ),
        MaxPool2d(name="pool", input="a", output="b", kernel=(2, 2)),
        Conv2d(
            name="second",
            input="b",
            output="c",
            weights=rng.integers(0, 2, (16, 3, 3, 8)),
            weight_encoding=Binary(),
            padding=(1, 1, 1, 1),
            post=thresholds(rng, 16, 8),
        ),
        Linear(
            name="dense", input="c", output="y", weights=rng.integers(0, 2, (10, 4, 4, 16)), weight_encoding=Binary()
        ),
    )
    return Network(name="small", tensors=tensors, layers=layers, input="x", outputs=("y",), about={"made": "by hand"})


def branching_network() -> Network:
    """A grouped convolution, a sum of two branches, and an average: two outputs, of 4 x 4 and of 1 x 1."""
    rng = np.random.default_rng(1)
    bits = Uniform(bits=4, signed=False)
    tensors = (
        Tensor(name="x", shape=(4, 4, 6), encoding=bits),
        Tensor(name="a", shape=(4, 4, 6), encoding=bits),
        Tensor(name="s", shape=(4, 4, 6), encoding=Uniform(bits=8, signed=True), scale=0.25),
        Tensor(name="m", shape=(1, 1, 6), encoding=Uniform(bits=10, signed=False), scale=0.5),
    )
    levels = Thresholds(values=np.sort(rng.integers(-60, 200, (6, 15)), axis=1), direction=np.ones(6, np.int8))
    layers = (
        Conv2d(
            name="grouped",
            input="x",
            output="a",
            weights=rng.integers(0, 2, (6, 3, 3, 2)),
            weight_encoding=Binary(),
            groups=3,
            padding=(1, 1, 1, 1),
            post=levels,
        ),
        Add.scaled(name="add", inputs=("a", "x"), output="s", encodings=(bits, bits), multipliers=(3, -5)),
        AveragePool2d(name="mean", input="a", output="m", kernel=(4, 4)),
    )
    return Network(name="branching", tensors=tensors, layers=layers, input="x", outputs=("s", "m"))
