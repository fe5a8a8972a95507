import subprocess
import sys

import numpy as np
import pytest

from rowloom.model import zoo
from rowloom.model.layers import Add, Conv2d
from rowloom.model.nets.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_a_seed_makes_one_network(name, tmp_path):
    for file, seed in (("a", 0), ("b", 0), ("c", 1)):
        SHAPES[name](seed).save(tmp_path / file)
    a, b, c = ((tmp_path / file).read_bytes() for file in "abc")
    assert a == b != c


def test_groups_and_sizes_of_alexnet():
    net = zoo.load("alexnet-shapes")
    convs = [layer for layer in net.layers if isinstance(layer, Conv2d)]
    assert [layer.groups for layer in convs] == [1, 2, 1, 2, 2]
    assert [net.tensor(layer.output).shape for layer in convs] == [
        (55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256),
    ]  # fmt: skip
    assert net.tensor(net.outputs[0]).shape == (6, 6, 256)


def test_blocks_of_resnet18():
    net = zoo.load("resnet18-shapes")
    adds = [layer for layer in net.layers if isinstance(layer, Add)]
    assert [net.tensor(layer.output).shape for layer in adds] == [
        (56, 56, 64), (56, 56, 64), (28, 28, 128), (28, 28, 128),
        (14, 14, 256), (14, 14, 256), (7, 7, 512), (7, 7, 512),
    ]  # fmt: skip
    assert sum(isinstance(layer, Conv2d) for layer in net.layers) == 20


def test_weights_are_balanced():
    for layer in zoo.load("alexnet-shapes").layers:
        if isinstance(layer, Conv2d):
            assert abs(layer.weights.mean()) < 1
            # The deviation of three integers of -42 to 42: sqrt(3 * (85^2 - 1) / 12).
            assert layer.weights.std() == pytest.approx(42.5, rel=0.02)
            assert 110 < np.abs(layer.weights).max() <= 126


def test_they_need_no_torch():
    program = (
        "import sys, rowloom; rowloom.load('alexnet-shapes');"
        "rowloom.train('alexnet-shapes'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
