"""Networks that branch: built layer by layer, each threshold laid where sums are."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.layers import (
    Add,
    AveragePool2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    DepthToSpace,
    Layer,
    Linear,
    MaxPool2d,
    Upsample,
)
from rowloom.model.network import Network, Tensor
from tests.hw import exact
from tests.hw.networks import SUMS, _post


class Graph:
    """A network that grows; every method adds a layer and returns the name of its output.

    Parameters
    ----------
    shape : (int, int, int)
        Of the input.
    encoding : Encoding
        Of the input, and of every output that is not told another.
    seed : int
    line : bool
        Thresholds lie on lines, so that codes are found by division.
    """

    def __init__(self, shape, encoding: Encoding, *, weights: Encoding, seed: int, line: bool = False):
        self.line = line
        self.rng = np.random.default_rng(seed)
        self.encoding = encoding
        self.weights = weights
        self.tensors = [Tensor(name="input", shape=shape, encoding=encoding)]
        self.layers: list[Layer] = []
        self.samples = self.rng.integers(encoding.code_min, encoding.code_max + 1, (6, *shape))

    def tensor(self, name) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def conv(self, source, filters, kernel=(3, 3), *, groups=1, weights=None, density=1, **fields):
        """A convolution; a kernel position of a filter has weights with probability ``density``, else all are 0."""
        weights = weights or self.weights
        channels = self.tensor(source).shape[2]
        codes = self.rng.integers(weights.code_min, weights.code_max + 1, (filters, *kernel, channels // groups))
        if density < 1:
            codes[self.rng.random(codes.shape[:3]) >= density] = weights.encode(0)
        return self._sum(
            Conv2d, {"input": source, "weights": codes, "weight_encoding": weights, "groups": groups}, **fields
        )

    def depthwise(self, source, kernel=(3, 3), **fields):
        channels = self.tensor(source).shape[2]
        return self.conv(source, channels, kernel, groups=channels, **fields)

    def dense(self, source, filters, **fields):
        shape = self.tensor(source).shape
        codes = self.rng.integers(self.weights.code_min, self.weights.code_max + 1, (filters, *shape))
        return self._sum(Linear, {"input": source, "weights": codes, "weight_encoding": self.weights}, **fields)

    def average(self, source, kernel, **fields):
        return self._sum(AveragePool2d, {"input": source, "kernel": kernel}, **fields)

    def add(self, *sources, multipliers, **fields):
        encodings = [self.tensor(source).encoding for source in sources]
        tables = Add.scaled(name="t", inputs=sources, output="t", encodings=encodings, multipliers=multipliers).tables
        return self._sum(Add, {"inputs": sources, "tables": tables}, **fields)

    def table(self, source, table, *, codes=None):
        """A function of single codes; ``table`` holds an output code for each of the source's."""
        encoding, codes = self.tensor(source).encoding, codes or self.encoding
        name = f"table{len(self.layers)}"
        assert len(table) == len(encoding.every_code)
        self.tensors.append(Tensor(name=name, shape=self.tensor(source).shape, encoding=codes))
        self.layers.append(Add(name=name, inputs=(source,), output=name, tables=(codes.decode(np.asarray(table)),)))
        return name

    def pool(self, source, kernel=(2, 2), **fields):
        return self._plain(MaxPool2d, input=source, kernel=kernel, **fields)

    def concat(self, *sources):
        return self._plain(Concat, inputs=sources)

    def upsample(self, source, factor):
        return self._plain(Upsample, input=source, factor=factor)

    def squares(self, source, block, mode="DCR"):
        return self._plain(DepthToSpace, input=source, block=block, mode=mode)

    def shuffle(self, source, groups):
        return self._plain(ChannelShuffle, input=source, groups=groups)

    def network(self, *outputs) -> Network:
        outputs = outputs or (self.layers[-1].output,)
        return Network(
            name="graph", tensors=tuple(self.tensors), layers=tuple(self.layers), input="input", outputs=outputs
        )

    def _plain(self, kind, **fields):
        name = f"{kind.op}{len(self.layers)}"
        layer = kind(name=name, output=name, **fields)
        shapes = [self.tensor(each).shape for each in layer.inputs]
        encoding = self.tensor(layer.inputs[0]).encoding
        self.tensors.append(Tensor(name=name, shape=layer.output_shape(*shapes), encoding=encoding))
        self.layers.append(layer)
        return name

    def _sum(self, kind, given, *, codes=None, raw=False, bias=True, **fields):
        codes = codes or self.encoding
        name = f"{kind.op}{len(self.layers)}"
        layer = kind(name=name, output=name, **given, **fields)
        shape = layer.output_shape(*(self.tensor(each).shape for each in layer.inputs))
        if bias:
            layer = replace(layer, bias=self.rng.integers(-9, 10, shape[2]))
        tensor = Tensor(name=name, shape=shape, encoding=SUMS)
        if not raw:
            trial = Network(
                name="trial", tensors=(*self.tensors, tensor), layers=(*self.layers, layer), input="input",
                outputs=tuple(self._ends(layer)),
            )  # fmt: skip
            reached = trial.run(self.samples, keep="all")[name].reshape(-1, shape[2]).astype(np.int64)
            kind = SimpleNamespace(post="line" if self.line else "scattered", codes=codes)
            layer = replace(layer, post=_post(self.rng, reached, kind))
            tensor = replace(tensor, encoding=codes)
        self.layers.append(layer)
        self.tensors.append(tensor)
        return name

    def _ends(self, layer):
        """Tensors that nobody reads yet."""
        read = {name for each in (*self.layers, layer) for name in each.inputs}
        return [layer.output, *(t.name for t in self.tensors if t.name not in read)]


def assert_exact(network, design, *, stalls=False, images=3):
    """Co-simulate random images back to back, in which no layer gives the same everywhere."""
    source = network.tensor("input")
    codes = np.random.default_rng(5).integers(
        source.encoding.code_min, source.encoding.code_max + 1, (images, *source.shape)
    )
    kept = network.run(codes, keep="all")
    assert not [layer.name for layer in network.layers if kept[layer.output].min() == kept[layer.output].max()]
    exact.assert_exact(design, codes, stalls=stalls, seed=1)


#: Arrays of two shapes.
CONFIGS = {
    "6x2x4": ArrayConfig(rows=6, cols=2, lanes=4),
    "4x3x6": ArrayConfig(rows=4, cols=3, lanes=6, prefetch=False),
}


def on_both_arrays(cases):
    """Parameters ``case, shape, stalls``: every case on both arrays; in the plain run on one of them, by turns."""
    for i, case in enumerate(cases):
        for j, (shape, stalls) in enumerate((("6x2x4", False), ("4x3x6", True))):
            marks = [pytest.mark.cocotb, *([pytest.mark.slow] if (i + j) % 2 else [])]
            yield pytest.param(case, shape, stalls, id=f"{case}-{shape}{'-stalls' * stalls}", marks=marks)


def byte(zero_point: int = 0, *, signed: bool = False) -> Encoding:
    """Eight-bit codes."""
    return Uniform(bits=8, signed=signed, zero_point=zero_point)
