"""The reference networks on arrays: all map, and those that a figure is published for reach it by the cycle model."""

import pytest

import rowloom

SIZES = {
    "lenet5": (6, 4, 16),
    "tfc-w1a1": (6, 4, 16),
    "sfc-w1a1": (6, 4, 16),
    "lfc-w1a1": (6, 4, 16),
    "cnv-w1a1": (12, 2, 32),
    "cnv-w2a2": (6, 4, 16),
    "vgg-small": (6, 4, 16),
    "resnet8": (6, 4, 16),
    "resnet20": (6, 4, 16),
    "ds-cnn": (6, 5, 16),
    "mobilenet-025": (6, 4, 16),
    "shufflenet-unit": (6, 4, 16),
    "squeezenet-fire": (6, 4, 16),
    "autoencoder": (6, 4, 16),
    "peer-cnn": (6, 4, 16),
    "alexnet-shapes": (12, 14, 8),
    "resnet18-shapes": (3, 7, 64),
}
"""Rows, columns, lanes."""


def compiled(name, size):
    rows, cols, lanes = size
    net = rowloom.load(name)
    return net, rowloom.compile(net, rowloom.ArrayConfig(rows=rows, cols=cols, lanes=lanes))


@pytest.mark.parametrize("name", SIZES)
def test_maps_onto_an_array(name):
    net, design = compiled(name, SIZES[name])
    assert sum(layer.macs for layer in design.layers) == net.macs()
    assert design.cycles >= net.macs() / design.config.peak


@pytest.mark.parametrize(
    ("name", "size", "least"),
    [
        ("cnv-w1a1", (12, 2, 32), 0.91),
        ("cnv-w1a1", (24, 2, 32), 0.90),
        ("alexnet-shapes", (12, 14, 8), 0.90),
        ("resnet18-shapes", (3, 7, 64), 0.95),
        ("ds-cnn", (6, 5, 16), 0.54),
    ],
)
def test_arrays_are_kept_busy(name, size, least):
    assert compiled(name, size)[1].utilization >= least
