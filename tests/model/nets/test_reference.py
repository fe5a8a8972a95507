"""The reference networks, by name: what they compute, and that random weights do not make them trivial."""

import numpy as np
import pytest

import rowloom
from rowloom.model import zoo
from rowloom.model.encodings import Binary, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Linear, MaxPool2d


def conv(height, width, filters, kernel, channels):
    """Multiply-accumulates of a square kernel."""
    return height * width * filters * kernel * kernel * channels


def perceptron(width):
    return 28 * 28 * width + 2 * width * width + width * 10


def cnv():
    """57,906,176 after the first layer."""
    first = conv(30, 30, 64, 3, 3)
    others = conv(28, 28, 64, 3, 64) + conv(12, 12, 128, 3, 64) + conv(10, 10, 128, 3, 128)
    others += conv(3, 3, 256, 3, 128) + conv(1, 1, 256, 3, 256)
    others += 256 * 512 + 512 * 512 + 512 * 10
    assert others == 57_906_176
    return first + others


def vgg_small():
    convs = conv(32, 32, 128, 3, 3) + conv(32, 32, 128, 3, 128)
    convs += conv(16, 16, 256, 3, 128) + conv(16, 16, 256, 3, 256)
    return convs + conv(8, 8, 512, 3, 256) + conv(8, 8, 512, 3, 512) + 4 * 4 * 512 * 10


def cifar_resnet(blocks):
    total = conv(32, 32, 16, 3, 3) + 2 * blocks * conv(32, 32, 16, 3, 16)
    for size, before, after in ((16, 16, 32), (8, 32, 64)):
        total += conv(size, size, after, 3, before) + conv(size, size, after, 1, before)
        total += (2 * blocks - 1) * conv(size, size, after, 3, after)
    return total + 64 * 10


def ds_cnn():
    return 25 * 5 * 64 * 10 * 4 + 4 * (25 * 5 * 64 * 9 + 25 * 5 * 64 * 64) + 64 * 12


def mobilenet():
    total, size, before = conv(48, 48, 8, 3, 3), 48, 8
    for after in (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256):
        size //= 2 if after in (32, 64, 128, 256) and after == 2 * before else 1
        total += size * size * before * 9 + conv(size, size, after, 1, before)
        before = after
    assert size == 3
    return total + 256 * 2


def shufflenet():
    """A stem, then units of three groups: 24 to 48 channels by stride 2, and twice 48 to 48."""
    first = conv(16, 16, 12, 1, 24 // 3) + 8 * 8 * 12 * 9 + conv(8, 8, 24, 1, 12 // 3)
    later = conv(8, 8, 12, 1, 48 // 3) + 8 * 8 * 12 * 9 + conv(8, 8, 48, 1, 12 // 3)
    return conv(16, 16, 24, 3, 3) + first + 2 * later + 48 * 10


def squeezenet():
    fires = conv(8, 8, 8, 1, 32) + conv(8, 8, 32, 1, 8) + conv(8, 8, 32, 3, 8)
    fires += conv(4, 4, 16, 1, 64) + conv(4, 4, 64, 1, 16) + conv(4, 4, 64, 3, 16)
    return conv(16, 16, 32, 3, 3) + fires + conv(4, 4, 10, 1, 128)


def alexnet():
    convs = conv(55, 55, 96, 11, 3) + conv(27, 27, 256, 5, 48) + conv(13, 13, 384, 3, 256)
    return convs + conv(13, 13, 384, 3, 192) + conv(13, 13, 256, 3, 192)


def resnet18():
    total = conv(112, 112, 64, 7, 3) + 4 * conv(56, 56, 64, 3, 64)
    for size, after in ((28, 128), (14, 256), (7, 512)):
        before = after // 2
        total += conv(size, size, after, 3, before) + conv(size, size, after, 1, before)
        total += 3 * conv(size, size, after, 3, after)
    return total + 512 * 1000


MACS = {
    "lenet5": conv(28, 28, 6, 5, 1) + conv(10, 10, 16, 5, 6) + 400 * 120 + 120 * 84 + 84 * 10,
    "tfc-w1a1": perceptron(64),
    "sfc-w1a1": perceptron(256),
    "lfc-w1a1": perceptron(1024),
    "cnv-w1a1": cnv(),
    "cnv-w2a2": cnv(),
    "vgg-small": vgg_small(),
    "resnet8": cifar_resnet(1),
    "resnet20": cifar_resnet(3),
    "ds-cnn": ds_cnn(),
    "mobilenet-025": mobilenet(),
    "shufflenet-unit": shufflenet(),
    "squeezenet-fire": squeezenet(),
    "autoencoder": 2 * 640 * 128 + 6 * 128 * 128 + 2 * 128 * 8,
    "alexnet-shapes": alexnet(),
    "resnet18-shapes": resnet18(),
    "peer-cnn": conv(28, 28, 16, 3, 1) + conv(14, 14, 32, 3, 16) + 7 * 7 * 32 * 10,
}
"""Every network, and its multiply-accumulates."""

PUBLISHED = {
    "vgg-small": 608e6,
    "resnet8": 12.5e6,
    "resnet20": 41e6,
    "ds-cnn": 2.66e6,
    "mobilenet-025": 7.5e6,
    "autoencoder": 0.264e6,
    "alexnet-shapes": 666e6,
    "resnet18-shapes": 1.81e9,
    "peer-cnn": 1.03e6,
}

ENCODINGS = {
    "tfc-w1a1": (Binary(), Binary()),
    "sfc-w1a1": (Binary(), Binary()),
    "lfc-w1a1": (Binary(), Binary()),
    "cnv-w1a1": (Binary(), Binary()),
    "vgg-small": (Binary(), Binary()),
    "cnv-w2a2": (Ternary(), Uniform(bits=2, signed=False)),
    "resnet20": (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False)),
}
"""Of weights and of rectified maps, where they are not 8-bit integers."""


@pytest.mark.parametrize("name", MACS)
def test_loads_by_name_with_its_macs(name):
    net = rowloom.load(name)
    assert (net.name, net.about["recipe"]) == (name, name)
    assert net.macs() == MACS[name]
    assert net.macs() == pytest.approx(PUBLISHED.get(name, MACS[name]), rel=0.01)
    assert "description" in net.about
    assert net.about["weights"].startswith("random") != ("test accuracy" in net.about)


@pytest.mark.parametrize("name", MACS)
def test_number_formats(name):
    net = rowloom.load(name)
    weight, activation = ENCODINGS.get(name, (Uniform(bits=8, signed=True), Uniform(bits=8, signed=False)))
    weighted = [layer for layer in net.layers if isinstance(layer, Conv2d | Linear)]
    assert {layer.weight_encoding for layer in weighted} == {weight}
    inner = {net.tensor(layer.input).encoding for layer in weighted if layer.input != net.input}
    assert activation in inner
    assert {each.bits for each in inner} == {activation.bits}
    assert net.tensor(net.input).encoding.bits == 8


def entropy(codes):
    """Bits that a code of the array carries, by how often each occurs."""
    _, counts = np.unique(codes, return_counts=True)
    shares = counts / codes.size
    return float(-(shares * np.log2(shares)).sum())


@pytest.mark.parametrize("name", MACS)
def test_every_layer_uses_its_codes(name):
    """A code carries at least two fifths of its bits, nearly every channel varies, and answers differ.

    Half of a rectified map of 8 bits is 0; the other half evenly spread would be 4.5 bits a code. What a max pool
    alone reads is looked at behind the pool.
    """
    net = rowloom.load(name)
    images = rowloom.images(net, 2 if name in zoo.MADE else 32, seed=1)
    kept = net.run(images, keep="all")
    pooled = {
        layer.input
        for layer in net.layers
        if isinstance(layer, MaxPool2d) and sum(layer.input in other.inputs for other in net.layers) == 1
    }
    for layer in net.layers:
        codes = kept[layer.output]
        if layer.output in net.outputs or layer.output in pooled:
            continue
        assert entropy(codes) >= 0.4 * net.tensor(layer.output).encoding.bits, layer.name
        flat = codes.reshape(-1, codes.shape[3])
        assert np.mean(flat.min(axis=0) == flat.max(axis=0)) <= 0.05, layer.name
    for output in net.outputs:
        answers = np.unique(kept[output].reshape(len(images), -1), axis=0)
        assert len(answers) >= 0.9 * len(images)


def test_they_are_small():
    assert sum(zoo.path(name).stat().st_size for name in MACS if name not in zoo.MADE) < 6_000_000
    with pytest.raises(RowloomError, match=r"^resnet18-shapes: has no file, it is made when it is loaded$"):
        zoo.path("resnet18-shapes")


def test_images_ship_for_fashion_only():
    assert rowloom.images(rowloom.load("lenet5"), 2).tolist() == zoo.images("lenet5")[:2].tolist()
    random = rowloom.images(rowloom.load("resnet8"), 2)
    assert random.shape == (2, 32, 32, 3)
    with pytest.raises(RowloomError, match=r"^resnet8: no images ship for it, must be .*peer-cnn"):
        zoo.images("resnet8")


@pytest.mark.parametrize("name", ["lenet5", "tfc-w1a1"])
def test_trained_ones_know_the_images_that_ship(name):
    net = rowloom.load(name)
    right = net.run(zoo.images(name)).argmax(axis=1) == zoo.labels(name)
    assert right.mean() >= 0.75
