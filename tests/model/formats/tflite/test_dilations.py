"""Dilation as a converter writes it, by SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, against the reference kernels."""

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.tflite.models import Model, reference
from tests.model.formats.tflite.test_operators import bias, images, weights

VALID = 1
SCALES = [0.011, 0.0042, 0.0007, 0.02]


def model(size, kernel, blocks, pads, crops, *, depthwise=False, stride=1, target=0.047):
    """A convolution of every ``blocks``-th row and column of a map with 4 channels."""
    m = Model()
    line = len(blocks) == 1
    x = m.tensor((1, *size, 4), 0.031, -5)
    batch = int(np.prod(blocks))
    inner = [(n + sum(p)) // b for n, p, b in zip(size, pads, blocks, strict=True)]
    outer = [each - k + 1 for each, k in zip(inner, kernel, strict=True)]
    before = m.tensor((batch, *inner, 4), 0.031, -5)
    after = m.tensor((batch, *outer, 4), target, 11)
    result = [o * b - sum(c) for o, b, c in zip(outer, blocks, crops, strict=True)]
    y = m.tensor((1, *result, 4), 0.047, 11)
    table = m.constant(blocks, dtype=np.int32)
    m.add("SPACE_TO_BATCH_ND", [x, table, m.constant(pads, dtype=np.int32)], before)
    source, target = before, after
    if line:
        source, target = m.tensor((batch, 1, *inner, 4), 0.031, -5), m.tensor((batch, 1, *outer, 4), 0.047, 11)
        m.add("EXPAND_DIMS", [before, m.constant(1, dtype=np.int32)], source)
    both = kernel if not line else (1, *kernel)
    shape = (1, *both, 4) if depthwise else (4, *both, 4)
    kind = "DepthwiseConv2D" if depthwise else "Conv2D"
    options = {"padding": VALID, "strideH": stride, "strideW": stride} | ({"depthMultiplier": 1} if depthwise else {})
    inputs = [source, weights(m, shape, SCALES, axis=3 if depthwise else 0), bias(m, 4)]
    m.add("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, target, f"{kind}Options", **options)
    if line:
        m.add("SQUEEZE", [target], after, "SqueezeOptions", squeezeDims=[1])
    m.add("BATCH_TO_SPACE_ND", [after, table, m.constant(crops, dtype=np.int32)], y)
    return m.content(x, y)


CASES = {
    "plain": model((8, 10), (3, 3), [2, 2], [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    "padded": model((9, 7), (3, 3), [3, 2], [[3, 3], [2, 3]], [[0, 0], [0, 1]]),
    "depthwise": model((8, 9), (3, 2), [2, 3], [[2, 2], [0, 3]], [[0, 0], [0, 0]], depthwise=True),
    "line": model((13,), (3,), [2], [[4, 1]], [[0, 1]]),
}


def imported(content, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    return rowloom.from_tflite(path)


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference_kernels(name, tmp_path):
    net = imported(CASES[name], tmp_path)
    (layer,) = net.layers
    assert layer.dilation != (1, 1)
    x = images(CASES[name])
    want = reference(CASES[name], x)
    assert len(np.unique(want)) > 50
    assert np.array_equal(host_run(net, x).reshape(want.shape), want)


@pytest.mark.parametrize(
    "content",
    [
        model((8, 10), (3, 3), [2, 2], [[0, 0], [0, 0]], [[0, 0], [0, 0]], stride=2),
        model((8, 10), (3, 3), [2, 2], [[0, 0], [0, 0]], [[0, 0], [0, 0]], target=0.05),
        model((8, 10), (3, 3), [2, 2], [[0, 0], [0, 0]], [[1, 0], [0, 0]]),
    ],
    ids=["stride", "another scale behind", "more cropped than padded"],
)
def test_what_is_no_dilation(content, tmp_path):
    with pytest.raises(rowloom.RowloomError, match=r"operator 0 \(SPACE_TO_BATCH_ND\): is not supported"):
        imported(content, tmp_path)
