import itertools

import numpy as np
import pytest

from rowloom.hw.postprocess import ThresholdLane
from rowloom.model.arith import count_thresholds
from tests.hw.cycles import trace


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_every_sum_and_threshold(bits):
    """Except where their difference needs another bit: the schedule gives the lane room for it."""
    span = range(-(1 << bits - 1), 1 << bits - 1)
    stimuli = [(s, t, i) for s, t, i in itertools.product(span, span, (0, 1)) if s - t in span]
    inputs = [dict(zip(("sum", "threshold", "invert"), each, strict=True)) for each in stimuli]
    seen = trace(ThresholdLane(sum_bits=bits), inputs, ["code", "difference"], extra=1)[1:]
    assert seen == [{"code": int(s >= t) ^ i, "difference": s - t} for s, t, i in stimuli]


@pytest.mark.parametrize("direction", [-1, 1])
def test_agrees_with_the_golden_thresholds(direction):
    """A falling threshold is a rising one at ``1 - value``, inverted."""
    rng = np.random.default_rng(direction + 1)
    sums, value = np.arange(-60, 60), int(rng.integers(-20, 20))
    want = count_thresholds((direction * sums)[:, None], np.array([[value]]))[:, 0]
    threshold, invert = (value, 0) if direction > 0 else (1 - value, 1)
    inputs = [{"sum": int(s), "threshold": threshold, "invert": invert} for s in sums]
    seen = trace(ThresholdLane(sum_bits=8), inputs, ["code"], extra=1)[1:]
    assert [cycle["code"] for cycle in seen] == want.tolist()
    assert 0 < want.sum() < len(want)
