import itertools

import numpy as np
import pytest

from rowloom.hw.mapping.thresholds import threshold_words
from rowloom.hw.postprocess import STAGE, ThresholdLane, ThresholdStage
from rowloom.model.arith import count_thresholds
from tests.hw.cycles import trace


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_every_sum_and_threshold(bits):
    """Except where their difference needs another bit: the schedule gives the stage room for it."""
    span = range(-(1 << bits - 1), 1 << bits - 1)
    stimuli = [(s, t) for s, t in itertools.product(span, span) if s - t in span]
    inputs = [{"sum": s, "threshold": t} for s, t in stimuli]
    seen = trace(ThresholdStage(sum_bits=bits), inputs, ["reached", "difference"], extra=1)[1:]
    assert seen == [{"reached": int(s >= t), "difference": s - t} for s, t in stimuli]


SUM_BITS = 9
LOW, HIGH = -90, 90


def lane_of(rising, falls, levels, logic_bits):
    """A lane whose memories hold rising thresholds [filters, 2^levels - 1], and its words of the first stage."""
    table = rising[:, None], falls[:, None].astype(np.int64)
    ((opening, *others),) = threshold_words([table], range(1), levels, SUM_BITS)
    lane = ThresholdLane(
        sum_bits=SUM_BITS,
        address_bits=max(1, (len(rising) - 1).bit_length()),
        levels=levels,
        tables=others,
        logic_bits=logic_bits,
    )
    return lane, opening


def outputs_of(lane, opening, stimuli, base):
    """Code and difference of (filter, sum) pairs, one a cycle, after exactly the stated latency."""
    latency = STAGE * lane.levels - 2
    mask, inputs = (1 << SUM_BITS) - 1, []
    for address, total in stimuli:
        word = opening[address]
        threshold = (word & mask) - ((word & mask) >> (SUM_BITS - 1) << SUM_BITS)
        inputs.append(
            {"address": address, "sum": total, "threshold": threshold, "invert": word >> SUM_BITS, "base": base}
        )
    inputs += [{"base": base}] * latency
    return trace(lane, inputs, ["code", "difference"])[latency:]


@pytest.mark.parametrize("logic_bits", [0, 1 << 20], ids=["block", "logic"])
@pytest.mark.parametrize("base", [0, "signed"])
@pytest.mark.parametrize("fewer", [False, True], ids=["", "fewer"])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_agrees_with_the_golden_thresholds(levels, fewer, base, logic_bits):
    """Rising and falling filters in turns, every sum of the range in a random order.

    A falling threshold ``v`` is a rising one at ``1 - v``, inverted. A filter with fewer thresholds
    than codes has others that are never reached, or always where it falls.
    """
    rng = np.random.default_rng(levels)
    filters, entries = 5, (1 << levels) - 1
    given = max(1, entries // 2) if fewer else entries
    base = (1 << levels) - 1 - given // 2 if base else 0
    values = np.sort(rng.integers(LOW // 2, HIGH // 2, (filters, given)), axis=1)
    values[0] = values[0, 0]  # a code of 0 or of all
    falls = np.arange(filters) % 2 == 1
    rising = np.full((filters, entries), HIGH + 1)
    rising[:, :given] = values
    rising[falls] = LOW
    rising[falls, entries - given :] = (1 - values[:, ::-1])[falls]
    stimuli = [(m, int(total)) for m in range(filters) for total in rng.permutation(np.arange(LOW, HIGH + 1))]
    stimuli = [stimuli[i] for i in rng.permutation(len(stimuli))]
    lane, opening = lane_of(rising, falls, levels, logic_bits)
    got = [cycle["code"] for cycle in outputs_of(lane, opening, stimuli, base)]
    address, sums = np.array(stimuli).T
    signs = np.where(falls, -1, 1)
    counts = count_thresholds(signs[None] * sums[:, None], values)[np.arange(len(sums)), address]
    assert got == ((counts.astype(int) + (base if levels > 1 else 0)) % (1 << levels)).tolist()
    assert len(set(counts.tolist())) == given + 1


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_the_difference_is_the_raw_sum(levels):
    """Where every threshold of a filter holds what must be taken off its sums."""
    rng = np.random.default_rng(levels)
    offsets = rng.integers(-60, 60, 4)
    lane, opening = lane_of(np.repeat(offsets[:, None], (1 << levels) - 1, 1), np.zeros(4, bool), levels, 0)
    stimuli = [(int(rng.integers(4)), int(rng.integers(LOW, HIGH + 1))) for _ in range(100)]
    got = [cycle["difference"] for cycle in outputs_of(lane, opening, stimuli, 0)]
    assert got == [total - offsets[address] for address, total in stimuli]
