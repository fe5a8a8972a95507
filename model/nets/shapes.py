"""AlexNet and ResNet-18 for mapper and cycle model: true shapes, random weights, made within seconds without torch."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Layer, Linear, MaxPool2d, SummingLayer
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Thresholds

_SAMPLE = 1 << 12
"""Values that stand for the distribution of a tensor."""

Integers = NDArray[np.int64]


def alexnet_shapes(seed: int = 0) -> Network:
    """Return the five convolutions of AlexNet and its three pools, 8 bits, for 227 x 227 x 3 pixels.

    References
    ----------
    Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NeurIPS 2012,
    section 3.5; shapes as in Chen, Emer, Sze: Eyeriss, ISCA 2016, table II.
    """
    net = _Builder(seed, 8, (227, 227, 3))
    x = net.max_pool(net.conv("input", 96, 11, stride=4), 3, 2)
    x = net.max_pool(net.conv(x, 256, 5, padding=2, groups=2), 3, 2)
    x = net.conv(x, 384, 3, padding=1)
    x = net.conv(x, 384, 3, padding=1, groups=2)
    x = net.max_pool(net.conv(x, 256, 3, padding=1, groups=2), 3, 2)
    return net.network("alexnet-shapes", x, "the convolutions and pools of AlexNet, 8 bits")


def resnet18_shapes(seed: int = 0) -> Network:
    """Return ResNet-18 for 224 x 224 x 3 pixels, 8 bits.

    References
    ----------
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, table 1, option B.
    """
    net = _Builder(seed, 8, (224, 224, 3))
    x = net.max_pool(net.conv("input", 64, 7, stride=2, padding=3), 3, 2, padding=1)
    before = 64
    for channels in (64, 128, 256, 512):
        for stride in (1 if channels == 64 else 2, 1):
            branch = net.conv(x, channels, 3, stride=stride, padding=1)
            branch = net.conv(branch, channels, 3, padding=1, centered=True)
            if stride > 1 or before != channels:
                x = net.add((net.conv(x, channels, 1, stride=stride, centered=True), branch), (1, 1))
            else:
                x = net.add((x, branch), (1, 2))
            before = channels
    x = net.dense(net.average(x), 1000)
    return net.network("resnet18-shapes", x, "ResNet-18, 8 bits")


@dataclass(slots=True)
class _Builder:
    """Appends layers whose thresholds suit sums of independent inputs.

    What a tensor holds is known by a sample of its values. Sums of a filter then have a mean and a deviation, which
    follow from the sum of its weights and that of their squares; thresholds put them on the codes as batch norm,
    rectifier and quantizer would. Random numbers are integers and every rounded operation is elementwise, so that
    the same seed gives the same network everywhere.

    Parameters
    ----------
    seed : int
    bits : int
        Width of weights and of activations.
    shape : (int, int, int)
        H, W, C of the 8-bit input.
    """

    seed: int
    bits: int
    shape: tuple[int, int, int]
    layers: list[Layer] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    samples: dict[str, Integers] = field(default_factory=dict)
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        encoding = Uniform(bits=8, signed=False)
        self.tensors["input"] = Tensor(name="input", shape=self.shape, encoding=encoding, scale=1 / 255)
        self.samples["input"] = self.random.integers(0, 256, _SAMPLE)

    def conv(
        self,
        source: str,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        centered: bool = False,
    ) -> str:
        """Append a convolution with activation: rectified, or ``centered`` about 0 as before an addition."""
        name = self._name("conv")
        layer = Conv2d(
            name=name,
            input=source,
            output=name,
            weights=self._weights((filters, kernel, kernel, self.tensors[source].shape[2] // groups)),
            weight_encoding=Uniform(bits=self.bits, signed=True),
            stride=(stride, stride),
            padding=(padding,) * 4,
            groups=groups,
        )
        weights = layer.weights.reshape(filters, -1).astype(np.int64)
        mean, deviation = _moments(self.samples[source])
        return self._normed(
            layer, weights.sum(axis=1) * mean, np.sqrt((weights**2).sum(axis=1)) * deviation, centered=centered
        )

    def dense(self, source: str, filters: int) -> str:
        """Append a dense layer that gives raw sums."""
        name = self._name("fc")
        layer = Linear(
            name=name,
            input=source,
            output=name,
            weights=self._weights((filters, *self.tensors[source].shape)),
            weight_encoding=Uniform(bits=self.bits, signed=True),
        )
        return self._append(layer, Uniform(bits=32, signed=True), self.samples[source])

    def max_pool(self, source: str, kernel: int, stride: int, padding: int = 0) -> str:
        """Append a max pool."""
        name = self._name("pool")
        layer = MaxPool2d(
            name=name,
            input=source,
            output=name,
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding,) * 4,
        )
        drawn = self.random.choice(self.samples[source], (kernel * kernel, _SAMPLE))
        return self._append(layer, self.tensors[source].encoding, drawn.max(axis=0))

    def add(self, sources: tuple[str, str], multipliers: tuple[int, int]) -> str:
        """Append the rectified sum of two maps, divided by 3/4 of the sum of their multipliers."""
        name = self._name("add")
        encodings = [self.tensors[source].encoding for source in sources]
        layer = Add.scaled(name=name, inputs=sources, output=name, encodings=encodings, multipliers=multipliers)
        one, other = (
            self.random.permutation(self.samples[source]) * multiplier
            for source, multiplier in zip(sources, multipliers, strict=True)
        )
        step = np.full(self.tensors[sources[0]].shape[2], sum(multipliers) * 0.75)
        return self._post(layer, np.zeros_like(step), step, (one + other) / step[0], self._rectified)

    def average(self, source: str) -> str:
        """Append the average of whole maps; the greatest code stands for four times the mean value."""
        name = self._name("average")
        height, width, channels = self.tensors[source].shape
        layer = AveragePool2d(name=name, input=source, output=name, kernel=(height, width), stride=(height, width))
        encoding = self._rectified
        mean, _ = _moments(self.samples[source])
        step = np.full(channels, height * width * mean * 4 / encoding.max)
        middle = np.full(_SAMPLE, encoding.max / 4)
        return self._post(layer, np.zeros_like(step), step, middle, encoding)

    def network(self, name: str, output: str, description: str) -> Network:
        """Return the whole."""
        return Network(
            name=name,
            tensors=tuple(self.tensors.values()),
            layers=tuple(self.layers),
            input="input",
            outputs=(output,),
            about={
                "recipe": name,
                "seed": self.seed,
                "description": description,
                "weights": "random, thresholds calibrated by estimate: for mapper and cycle model",
            },
        )

    @property
    def _rectified(self) -> Uniform:
        return Uniform(bits=self.bits, signed=False)

    def _name(self, kind: str) -> str:
        return f"{kind}{1 + sum(layer.name.startswith(kind) for layer in self.layers)}"

    def _weights(self, shape: tuple[int, ...]) -> NDArray[np.integer]:
        """Return sums of three equal random integers: near zero more often than far from it."""
        third = ((1 << (self.bits - 1)) - 1) // 3
        kind = Uniform(bits=self.bits, signed=True).dtype
        drawn = self.random.integers(-third, third, (3, *shape), dtype=kind, endpoint=True)
        return drawn.sum(axis=0, dtype=kind)

    def _normed(
        self,
        layer: SummingLayer,
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64],
        *,
        centered: bool = False,
    ) -> str:
        """Append a layer whose greatest code stands for 2.5 deviations above the mean, or 3 if ``centered``."""
        encoding = self._rectified
        if centered:
            encoding = replace(encoding, zero_point=1 << (self.bits - 1))
        codes = encoding.max / (3 if centered else 2.5)
        # Nearly normal, by the sum of twelve.
        normal = self.random.integers(0, 1 << 16, (12, _SAMPLE)).sum(axis=0) / (1 << 16) - 6
        return self._post(layer, mean, deviation / codes, normal * codes, encoding)

    def _post(
        self,
        layer: SummingLayer,
        mean: NDArray[np.float64],
        step: NDArray[np.float64],
        sample: NDArray[np.float64],
        encoding: Uniform,
    ) -> str:
        """Append a layer whose value is (sum - mean) / step, rounded and clipped; ``sample`` is distributed as that."""
        halves = np.arange(encoding.min, encoding.max) + 0.5
        values = np.ceil(mean[:, None] + halves * step[:, None]).astype(np.int64)
        post = Thresholds(values=values, direction=np.ones(len(mean), np.int8))
        held = np.clip(np.rint(sample), encoding.min, encoding.max).astype(np.int64)
        return self._append(replace(layer, post=post), encoding, held)

    def _append(self, layer: Layer, encoding: Encoding, sample: Integers) -> str:
        shape = layer.output_shape(*(self.tensors[name].shape for name in layer.inputs))
        self.layers.append(layer)
        self.tensors[layer.output] = Tensor(name=layer.output, shape=shape, encoding=encoding)
        self.samples[layer.output] = sample
        return layer.output


def _moments(sample: Integers) -> tuple[float, float]:
    """Return mean and standard deviation; of integers, whose sums are exact in whatever order they are added."""
    total, squares = int(sample.sum()), int((sample**2).sum())
    count = len(sample)
    return total / count, float(np.sqrt(count * squares - total * total)) / count


SHAPES: dict[str, Callable[[int], Network]] = {
    "alexnet-shapes": alexnet_shapes,
    "resnet18-shapes": resnet18_shapes,
}
"""Every such network by its name, from its seed."""
