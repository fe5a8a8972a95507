from types import SimpleNamespace

import numpy as np
import pytest

from rowloom.hw.linear import LinearLane
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words
from tests.hw.cycles import trace
from tests.hw.mapping.test_quotients import divided

FILTERS = 7


def random_quotients(rng, levels, fraction, bent, mends, late, step_bits, span):
    """Filters with steps of all sizes, one that never counts and one whose sums are all alike.

    Mended are sums at both sides of random thresholds; one filter has none.
    """
    step = rng.integers(1, 1 << rng.integers(1, step_bits + 1, FILTERS))
    step[:2] = 0, (1 << step_bits) - 1
    starts = rng.integers(0, 1 << fraction, (FILTERS, 1)).repeat(2, 1)
    if bent:
        starts += rng.integers(-2 * step.max() - 2, 2 * step.max() + 3, (FILTERS, 2))
    threshold = rng.integers(-span // 2, span // 2, FILTERS)
    place = rng.integers(1, 1 << levels, (FILTERS, mends)) - (1 << (levels - 1))
    mended = (
        threshold[:, None] - ((starts[:, :1] - place * step[:, None]) >> fraction) - rng.integers(0, 2, place.shape)
    )
    nudges = rng.choice([-2, -1, 1], mended.shape)
    nudges[2] = 0
    for k in range(1, mends):  # a sum is mended once
        nudges[(mended[:, :k] == mended[:, k : k + 1]).any(axis=1), k] = 0
    return Quotients(
        drains=1,
        threshold=threshold,
        starts=starts,
        step=step,
        flip=rng.integers(0, 1 << levels, FILTERS),
        divides=np.ones(FILTERS, bool),
        late=late & (step > 0) & (rng.random(FILTERS) < 0.7),
        mended=mended,
        nudges=nudges,
    )


def lane_of(rng, *, levels, fraction, bent, mends, late, step_bits, sum_bits, cols=1):
    """A lane, its words, and how it counts."""
    found = random_quotients(rng, levels, fraction, bent, mends, late, step_bits, 1 << (sum_bits - 2))
    lines = SimpleNamespace(levels=levels, fraction=fraction, bent=bent, mends=mends, late=late)
    line = line_parameters([found], lines, sum_bits)
    ((words,),) = line_words([found], range(1), line, sum_bits, levels)
    return LinearLane(line=line, sum_bits=sum_bits, levels=levels, cols=cols), words, found


def run(lane, words, stimuli):
    """Outputs for (filter, sums of each column), one a cycle, after exactly the stated latency."""
    latency = lane.levels + lane.line.turns
    widths = lane.line.fields(sum_bits=lane.sum_bits, levels=lane.levels)
    inputs = []
    for m, sums in stimuli:
        fields, at = {}, 0
        for name, bits in widths.items():
            fields[name] = words[m] >> at & ((1 << bits) - 1)
            at += bits
        inputs.append({"word": fields} | {f"sum_{q}": int(total) for q, total in enumerate(sums)})
    inputs += [{"word": dict.fromkeys(widths, 0)}] * latency
    names = [f"{name}_{q}" for q in range(lane.cols) for name in ("code", "difference")]
    return trace(lane, inputs, names)[latency:]


KINDS = pytest.mark.parametrize(
    ("bent", "mends", "late"),
    [(False, 0, False), (True, 0, False), (False, 1, False), (False, 3, False), (False, 0, True), (True, 2, True)],
    ids=["", "bent", "mended", "mended-thrice", "late", "all"],
)


@KINDS
@pytest.mark.parametrize("fraction", [0, 1, 3])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_every_sum_of_narrow_lanes(levels, fraction, bent, mends, late):
    """Every sum and filter, in a random order: one that follows another must not disturb it."""
    rng = np.random.default_rng(levels)
    lane, words, found = lane_of(
        rng, levels=levels, fraction=fraction, bent=bent, mends=mends, late=late, step_bits=5, sum_bits=8
    )
    span = range(-64, 64)
    stimuli = [(m, (total,)) for m in range(FILTERS) for total in span]
    stimuli = [stimuli[i] for i in rng.permutation(len(stimuli))]
    seen = run(lane, words, stimuli)
    for m in range(FILTERS):
        at = [i for i, stimulus in enumerate(stimuli) if stimulus[0] == m]
        sums = np.array([stimuli[i][1][0] for i in at])
        want = divided(words[m], lane.line, lane.sum_bits, levels, sums)
        assert [seen[i]["code_0"] for i in at] == want.tolist()
        assert [seen[i]["difference_0"] for i in at] == (sums - found.threshold[m]).tolist()


@KINDS
@pytest.mark.parametrize("sum_bits", [14, 22, 30])
def test_wide_lanes_and_their_columns(sum_bits, bent, mends, late):
    """Eight bits, fractions of a sum in the steps: sums at both sides of thresholds, and the extremes.

    In the wider lanes some differences lie beyond the bits that are kept.
    """
    rng = np.random.default_rng(sum_bits)
    lane, words, found = lane_of(
        rng, levels=8, fraction=12, bent=bent, mends=mends, late=late, step_bits=20, sum_bits=sum_bits, cols=3
    )
    assert (lane.line.kept_bits < sum_bits) == (sum_bits > 14)
    limit = 1 << (sum_bits - 2)
    stimuli = []
    for m in range(FILTERS):
        line, word = lane.line, words[m]
        reach = int(found.step[m]) >> 4  # 2^8 steps of 2^12 to a sum
        pool = (found.threshold[m] + rng.integers(-reach, reach + 1, 4000)).clip(-limit, limit - 1)
        codes = divided(word, line, sum_bits, 8, np.sort(pool))
        edges = np.sort(pool)[1:][np.diff(codes) != 0]
        near = np.concatenate([edges, edges - 1, [-limit, limit - 1, 0, -1], rng.integers(-limit, limit, 60)])
        near = np.concatenate([near, *[found.mended[m].clip(-limit, limit - 1)] * (len(near) // 4)])
        stimuli += [(m, tuple(rng.choice(near, 3))) for _ in range(60)]
    stimuli = [stimuli[i] for i in rng.permutation(len(stimuli))]
    seen = run(lane, words, stimuli)
    for q in range(3):
        want = [int(divided(words[m], lane.line, sum_bits, 8, np.array([sums[q]]))[0]) for m, sums in stimuli]
        assert [cycle[f"code_{q}"] for cycle in seen] == want
    assert len({cycle["code_0"] for cycle in seen}) > 30
