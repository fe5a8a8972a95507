"""What the importer makes of graphs that join, add and chain layers before they quantize, in the gates."""

import numpy as np
import pytest

import rowloom
from tests.hw.exact import assert_exact
from tests.model.formats.graphs import Graph, random_weights, written

pytestmark = [pytest.mark.cocotb, pytest.mark.filterwarnings("ignore")]


def conv(g, x, m, c, k=3, bits=4):
    w = g.quant(random_weights(np.random.default_rng(m * c * k), (m, c, k, k), 0.125, bits), 0.125, bits=bits, narrow=1)
    return g.add("Conv", x, w, kernel_shape=[k, k], pads=[k // 2] * 4)


def joined(g, x):
    """A quantizer after a Concat of sums."""
    x = g.add("Relu", g.add("Concat", conv(g, x, 3, 4), conv(g, x, 5, 4, 1), axis=1))
    return conv(g, g.quant(x, 0.25, bits=4, signed=0), 4, 8)


def scales(g, x):
    """A sum of branches of which one has a scale for each channel."""
    a = g.quant(conv(g, x, 4, 4), (2.0 ** -np.arange(1, 5)).reshape(1, 4, 1, 1), bits=4)
    return conv(g, g.quant(g.add("Add", a, g.quant(conv(g, x, 4, 4), 0.25, bits=4)), 0.5, bits=4), 4, 4)


def between(g, x):
    """Sums of a depthwise layer as codes of the next."""
    w = g.quant(random_weights(np.random.default_rng(3), (4, 1, 3, 3), bits=2), 0.25, bits=2, narrow=1)
    x = g.add("Conv", x, w, kernel_shape=[3, 3], group=4, pads=[1] * 4)
    return conv(g, g.quant(conv(g, x, 6, 4, 1, 3), 0.25, bits=4), 4, 6)


@pytest.mark.parametrize("build", [joined, scales, between])
def test_equals_the_golden_model(build, tmp_path):
    g = Graph((1, 4, 6, 6))
    x = g.quant("x", 0.5, bits=2)
    model = g.model(g.quant(build(g, x), 0.5, bits=4))
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    codes = np.random.default_rng(0).integers(-2, 2, (2, 6, 6, 4))
    assert_exact(rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=4)), codes)
