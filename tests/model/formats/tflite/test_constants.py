"""Sizes that a file computes, as a converter writes a dense layer on a tensor of three axes."""

import numpy as np
import pytest

import rowloom
from rowloom.model.host import host_run
from tests.model.formats.tflite.models import Model, reference
from tests.model.formats.tflite.test_operators import bias, images, weights


def steps_of(axes):
    """A dense layer of every one of 6 steps; ``axes`` are those whose sizes make the number of rows."""
    m = Model()
    x = m.tensor((1, 6, 12), 0.031, -5)
    shape = m.add("SHAPE", [x], m.tensor((3,), dtype=np.int32), "ShapeOptions", outType=2)
    zero = m.constant([0], dtype=np.int32)

    def sizes(which):
        inputs = [shape, m.constant(which, dtype=np.int32)]
        taken = m.add("GATHER", inputs, m.tensor((len(which),), dtype=np.int32), "GatherOptions", axis=0)
        return taken, m.add("REDUCE_PROD", [taken, zero], m.tensor((), dtype=np.int32), "ReducerOptions")

    free, rows = sizes(axes)
    _, columns = sizes([2])
    flat = m.tensor((1, 1), 0.031, -5)
    m.graph.tensors[flat].shapeSignature = [-1, -1]
    stack = m.add("PACK", [rows, columns], m.tensor((2,), dtype=np.int32), "PackOptions", valuesCount=2, axis=0)
    m.add("RESHAPE", [x, stack], flat)
    dense = m.tensor((1, 8), 0.06, 3)
    m.graph.tensors[dense].shapeSignature = [-1, 8]
    m.add("FULLY_CONNECTED", [flat, weights(m, (8, 12), 0.01), bias(m, 8, 0.00031)], dense, "FullyConnectedOptions")
    inputs = [free, m.constant([8], dtype=np.int32)]
    wanted = m.add("CONCATENATION", inputs, m.tensor((3,), dtype=np.int32), "ConcatenationOptions", axis=0)
    y = m.tensor((1, 6, 8), 0.06, 3)
    return m.content(x, m.add("RESHAPE", [dense, wanted], y))


def test_a_dense_layer_of_every_step(tmp_path):
    content = steps_of([0, 1])
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    net = rowloom.from_tflite(path)
    x = images(content)
    want = reference(content, x)
    assert len(np.unique(want)) > 50
    assert np.array_equal(host_run(net, x).reshape(want.shape), want)


def test_sizes_that_do_not_agree(tmp_path):
    (tmp_path / "m.tflite").write_bytes(steps_of([1, 2]))
    with pytest.raises(rowloom.RowloomError, match=r"operator 6 \(RESHAPE\): makes \(72, 12\) of \(1, 6, 12\)"):
        rowloom.from_tflite(tmp_path / "m.tflite")
