"""ConvTranspose as a convolution of phases, against onnxruntime and qonnx's executor."""

import numpy as np
import pytest

import rowloom
from rowloom.model.encodings import Binary, Ternary
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")


def transposed(shape, kernel, out, *, groups=1, bits=4, per_channel=False, **attributes):
    """Return a graph of a ConvTranspose between two quantizers, with biases."""
    g = Graph((1, *shape))
    rng = np.random.default_rng(sum(kernel) + out)
    w = random_weights(rng, (shape[0], out // groups, *kernel), 0.25, bits)
    if bits == 1:
        w = g.bipolar(g.constant(w), 0.25)
    else:
        scale = 2.0 ** -rng.integers(1, 4, (1, out // groups, *(1,) * len(kernel))) if per_channel else 0.25
        w = g.quant(w, scale, bits=bits, narrow=1)
    x = g.quant("x", 2.0**-4, bits=6)
    bias = rng.integers(-8, 9, out) / 4
    x = g.add("ConvTranspose", x, w, bias, kernel_shape=list(kernel), group=groups, **attributes)
    return g.model(g.quant(x, 0.125, bits=8))


def check(model, shape, tmp_path):
    net = rowloom.from_qonnx(written(model, tmp_path / "m.onnx"))
    x = np.random.default_rng(1).standard_normal((3, *shape)).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    got = host_run(net, x, dequantize=True)
    assert len(np.unique(want)) > 20
    assert np.array_equal(got, want)
    return net


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        ((2, 2), {"strides": [2, 2]}),
        ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((4, 2), {"strides": [2, 2], "pads": [2, 0, 0, 0]}),
        ((3, 3), {"strides": [3, 3]}),
        ((5, 4), {"strides": [3, 3], "pads": [1, 0, 1, 1]}),
        ((3, 3), {"pads": [1, 1, 1, 1]}),
        ((3, 2), {}),
        ((1, 1), {"strides": [2, 2], "output_padding": [1, 1]}),
        ((7, 7), {"strides": [2, 2], "pads": [3, 3, 3, 3], "output_padding": [1, 1]}),
    ],
)
def test_kernels_strides_and_pads(kernel, attributes, tmp_path):
    shape = (3, 5, 6)
    check(transposed(shape, kernel, 4, **attributes), shape, tmp_path)


@pytest.mark.parametrize("groups", [2, 4])
def test_groups_and_scales_by_channel(groups, tmp_path):
    shape = (4, 5, 6)
    check(transposed(shape, (4, 4), 8, groups=groups, per_channel=True, strides=[2, 2], pads=[1] * 4), shape, tmp_path)


def test_one_dimension(tmp_path):
    shape = (4, 17)
    check(transposed(shape, (3,), 6, pads=[1, 1]), shape, tmp_path)


def test_taps_that_are_none_are_zeros(tmp_path):
    """A phase of a 3 x 3 kernel with stride 2 takes 1 to 4 taps of a window of 2 x 2."""
    shape = (8, 5, 6)
    options = {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]}
    net = check(transposed(shape, (3, 3), 4, bits=1, **options), shape, tmp_path)
    assert isinstance(net.layers[0].weight_encoding, Ternary)
    net = check(transposed(shape, (2, 2), 4, bits=1, strides=[2, 2]), shape, tmp_path)
    assert isinstance(net.layers[0].weight_encoding, Binary)


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"strides": [2, 2]}, r"makes 11 places of 5, where a multiple of its stride, 2, is needed"),
        ({"strides": [2, 1]}, r"has strides \[2, 1\], where one stride in two dimensions is needed"),
        ({"dilations": [2, 2]}, r"has dilations \[2, 2\], where 1 is needed"),
        ({"pads": [3, 3, 3, 3]}, r"cuts \[3, 3\] places off, where less than the kernel is needed"),
    ],
)
def test_what_is_refused(attributes, match, tmp_path):
    path = written(transposed((3, 5, 6), (3, 3), 4, **attributes), tmp_path / "m.onnx")
    with pytest.raises(rowloom.RowloomError, match=rf"node ConvTranspose_\d \(ConvTranspose\): {match}"):
        rowloom.from_qonnx(path)
