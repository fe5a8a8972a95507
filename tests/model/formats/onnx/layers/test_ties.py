"""Thresholds that the executor's rounding decides are counted, and no others."""

import numpy as np
import pytest

from rowloom.model.formats.source import import_file
from rowloom.model.host import host_run
from tests.model.formats.graphs import Graph, qonnx_outputs, random_weights, written

pytestmark = pytest.mark.filterwarnings("ignore")


def rounded(scale, rounding, tmp_path, bits=4, offset=0.0):
    """Return a convolution whose sums are rounded at integers, where float noise of a sum of 0 decides, as imported."""
    g = Graph((1, 3, 12, 12))
    w = g.quant(random_weights(np.random.default_rng(0), (4, 3, 3, 3)), 0.25, bits=3, narrow=1)
    x = g.add("Conv", g.quant("x", scale, bits=4), w, np.full(4, offset), kernel_shape=[3, 3])
    model = g.model(g.quant(x, 1.0, bits=bits, rounding=rounding))
    return model, import_file(written(model, tmp_path / "m.onnx"))


@pytest.mark.parametrize("rounding", ["CEIL", "FLOOR", "ROUND"])
def test_powers_of_two_leave_nothing_to_the_executor(rounding, tmp_path):
    model, imported = rounded(0.25, rounding, tmp_path)
    assert imported.float_ties == 0
    x = np.random.default_rng(1).standard_normal((4, 3, 12, 12)).astype(np.float32)
    (want,) = qonnx_outputs(model, x).values()
    assert np.array_equal(host_run(imported.network, x, dequantize=True), want)


def test_a_sum_of_zero_may_come_out_as_a_hair(tmp_path):
    """0.29 + 0.58 - 0.87: with a scale that float32 cannot hold, products that cancel leave something."""
    assert rounded(0.29, "ROUND", tmp_path)[1].float_ties == 0
    model, imported = rounded(0.29, "CEIL", tmp_path)
    # The step beside the sum of 0, in each of four channels.
    assert imported.float_ties == 4
    x = np.random.default_rng(1).standard_normal((8, 3, 12, 12)).astype(np.float32) / 4
    (want,) = qonnx_outputs(model, x).values()
    got = host_run(imported.network, x, dequantize=True)
    differs = got != want
    assert differs.any()
    assert set(got[differs]) | set(want[differs]) == {0, 1}


def test_a_sign_of_sums_that_cancel(tmp_path):
    assert rounded(0.29, "ROUND", tmp_path, bits=1)[1].float_ties == 4
    assert rounded(0.25, "ROUND", tmp_path, bits=1)[1].float_ties == 0
    assert rounded(0.29, "ROUND", tmp_path, bits=1, offset=0.0123)[1].float_ties == 0


def test_a_sum_of_averages_that_were_rounded(tmp_path):
    """Twelfths are no float32 numbers, so that their sums may miss a half that they are."""
    g = Graph((1, 2, 3, 4))
    x = g.add("Flatten", g.add("GlobalAveragePool", g.quant("x", 0.5, bits=4, signed=0)))
    w = g.quant(random_weights(np.random.default_rng(0), (2, 8), 0.5), 0.5, bits=4)
    model = g.model(g.quant(g.add("MatMul", x, w), 0.25, bits=8))
    imported = import_file(written(model, tmp_path / "m.onnx"))
    assert imported.float_ties > 8
    x = np.random.default_rng(1).integers(0, 16, (200, 2, 3, 4)).astype(np.float32) / 2
    (want,) = qonnx_outputs(model, x).values()
    got = host_run(imported.network, x, dequantize=True)
    differs = got != want
    assert 0 < differs.mean() < 0.05
    assert np.abs(got - want).max() == 0.25
