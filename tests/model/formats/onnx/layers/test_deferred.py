"""Pools of sums between norms that rise in some channels and fall in others, against qonnx's executor."""

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from rowloom.model.layers import Conv2d, MaxPool2d
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")


def sums(channels=8):
    g = Graph((1, 3, 10, 10))
    w = g.quant(random_weights(np.random.default_rng(0), (channels, 3, 3, 3)), 0.25, bits=4)
    return g, g.add("Conv", g.quant("x", 2.0**-5, bits=8), w, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def norm(g, x, signs):
    """Batch norms that rise and fall, all of whose numbers are few bits."""
    rng = np.random.default_rng(len(g.nodes))
    count = len(signs)
    beta, mean = ((rng.integers(-8, 9, count) / 4).astype(np.float32) for _ in range(2))
    gamma = np.array(signs) * rng.choice([0.5, 1], count)
    return g.add("BatchNormalization", x, gamma, beta, mean, np.ones(count), epsilon=0.0)


def pool(g, x, kernel=2):
    return g.add("MaxPool", x, kernel_shape=[kernel, kernel], strides=[kernel, kernel])


def check(model, tmp_path):
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    x = (np.random.default_rng(1).integers(-140, 140, (4, 3, 10, 10)) * 2.0**-5).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    assert len(np.unique(want)) > 4
    assert np.array_equal(host_run(net, x, dequantize=True), want)
    return net


UP_AND_DOWN = (1, -1, 1, -1, 1, -1, 1, -1)
DOWN_AND_UP = (1, 1, -1, -1, 1, 1, -1, -1)


@pytest.mark.parametrize("signed", [0, 1])
def test_norms_before_and_after_a_pool(signed, tmp_path):
    """Two norms that both fall rise together, but the pool lies between them."""
    g, x = sums()
    x = norm(g, pool(g, norm(g, x, UP_AND_DOWN)), DOWN_AND_UP)
    check(g.model(g.quant(x, 0.25, bits=4, signed=signed)), tmp_path)


def test_pools_that_compare_in_different_directions(tmp_path):
    g, x = sums()
    x = pool(g, norm(g, pool(g, norm(g, x, UP_AND_DOWN)), DOWN_AND_UP))
    net = check(g.model(g.quant(norm(g, x, UP_AND_DOWN[::-1]), 0.25, bits=4)), tmp_path)
    assert sum(isinstance(layer, MaxPool2d) for layer in net.layers) == 2


def test_a_pool_of_channels_that_were_shuffled(tmp_path):
    g, x = sums()
    x = g.add("Reshape", norm(g, x, UP_AND_DOWN), g.constant([1, 2, 4, 10, 10], np.int64))
    x = g.add("Reshape", g.add("Transpose", x, perm=[0, 2, 1, 3, 4]), g.constant([1, 8, 10, 10], np.int64))
    check(g.model(g.quant(norm(g, pool(g, x), DOWN_AND_UP), 0.25, bits=4)), tmp_path)


def test_a_pool_of_pixels_of_channels_that_fall_together(tmp_path):
    g, x = sums()
    x = g.add("DepthToSpace", norm(g, x, DOWN_AND_UP), blocksize=2, mode="CRD")
    check(g.model(g.quant(norm(g, pool(g, x), (-1, 1)), 0.25, bits=4)), tmp_path)


def test_sums_that_fall_are_compared_where_no_quantizer_follows(tmp_path):
    """Filters change their signs, so that the greatest sum is what the file's pool takes."""
    g, x = sums()
    net = check(g.model(pool(g, norm(g, x, UP_AND_DOWN))), tmp_path)
    assert [type(layer) for layer in net.layers] == [Conv2d, MaxPool2d]
