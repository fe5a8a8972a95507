"""Accelerators of the reference networks: every value of every layer, every cycle count, of an image."""

import pytest

import rowloom

pytestmark = pytest.mark.cocotb

SMALL = {
    "tfc-w1a1": (3, 2, 8),
    "lenet5": (3, 2, 4),
    "shufflenet-unit": (3, 2, 4),
    "resnet8": (3, 2, 4),
    "ds-cnn": (3, 2, 4),
    "mobilenet-025": (3, 2, 4),
    "autoencoder": (3, 2, 4),
}

LARGE = {
    "sfc-w1a1": (6, 4, 16),
    "lfc-w1a1": (6, 4, 16),
    "cnv-w1a1": (12, 2, 32),
    "cnv-w2a2": (12, 2, 32),
    "vgg-small": (12, 2, 32),
    "resnet8": (6, 4, 16),
    "resnet20": (6, 4, 16),
    "ds-cnn": (6, 5, 16),
    "mobilenet-025": (6, 4, 16),
    "squeezenet-fire": (6, 4, 16),
    "autoencoder": (6, 1, 16),
    "peer-cnn": (6, 2, 4),
}
"""Size of the array: rows, columns, lanes."""


def check(name, size):
    rows, cols, lanes = size
    net = rowloom.load(name)
    design = rowloom.compile(net, rowloom.ArrayConfig(rows=rows, cols=cols, lanes=lanes))
    result = rowloom.simulate(design, rowloom.images(net, 1))
    assert result.ok, result.summary()
    assert {layer.name: layer.cycles_measured for layer in result.layers} == {
        layer.name: layer.cycles for layer in design.layers
    }


@pytest.mark.parametrize("name", SMALL)
def test_small_ones(name):
    check(name, SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_ones(name):
    check(name, LARGE[name])
