import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.fold import array_folds
from rowloom.hw.mapping.lines import lines_of
from rowloom.hw.mapping.quotients import line_parameters, line_words, quotients
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.thresholds import sum_span
from rowloom.hw.mapping.weights import row_weights
from rowloom.model.bounds import channel_bounds
from rowloom.model.encodings import Binary, DoReFa, Ternary, Uniform
from tests.hw.mapping.test_rising import golden
from tests.hw.networks import Conv, Dense, make_network

CONFIG = ArrayConfig(rows=6, cols=2, lanes=4, drains=2)


def prepared(spec, encoding, raw=False):
    """A network of one layer, and its step, folded and with its weights laid out."""
    network = make_network([spec], shape=(4, 4, 3), encoding=encoding, raw=raw, seed=3)
    (step,), (array,), _, _ = steps_of(network, CONFIG, banks=4)
    step.fold = next(
        array_folds(step.window, step.layout, CONFIG, chain=array.rows // CONFIG.drains, stacked=array.stacked, banks=4)
    )
    step.weights = row_weights(step.layer, step.layout, step.window, step.fold, array, CONFIG)
    return network, step


def signed(value, bits):
    return value - ((value >> (bits - 1)) << bits)


def divided(word, line, sum_bits, levels, sums):
    """Codes of sums by the definition of the lane, in whole numbers; ``word`` as it lies in the memory."""
    fields, given = {}, sums
    for name, bits in line.fields(sum_bits=sum_bits, levels=levels).items():
        fields[name] = word & ((1 << bits) - 1)
        word >>= bits
    assert word == 0
    for k in range(line.mends):
        hits = given == signed(fields[f"mended_{k}"], sum_bits)
        sums = sums + hits * signed(fields[f"nudge_{k}"], line.nudge_bits)
    difference = sums - signed(fields["threshold"], sum_bits)
    if line.bent:
        start = np.where(difference < 0, *(signed(fields[f"start_{n}"], line.remainder_bits) for n in range(2)))
    else:
        start = fields["start"]
    remainder = (difference << line.fraction) + start
    step = fields["step"]
    count = np.where(remainder >= 0, (1 << levels) - 1, 0)
    if step:
        above = remainder + (step << (levels - 1))
        count = np.clip(above // step, 0, (1 << levels) - 1)
        if fields.get("late"):
            count -= (above == count * step) & (count % 2 == 1)
    return count ^ fields["flip"]


CASES = [
    (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False), Uniform(bits=8, signed=True)),
    (Uniform(bits=8, signed=True), Uniform(bits=8, signed=False), Uniform(bits=8, signed=True, zero_point=-4)),
    (DoReFa(3), Uniform(bits=3, signed=False), Uniform(bits=3, signed=False)),
    (Ternary(), Uniform(bits=4, signed=True), Uniform(bits=4, signed=False)),
    (Binary(), Binary(), Uniform(bits=2, signed=True)),
    (Binary(), Uniform(bits=3, signed=False), Binary()),
]


@pytest.mark.parametrize(
    ("post", "more"),
    [
        *((post, more) for post in ("line", "requantize", "requantize-middle") for more in (0, 3)),
        ("beside", 0), ("even", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("weights", "activations", "codes"), CASES, ids=str)
def test_every_sum_that_a_filter_can_have_gets_its_code(weights, activations, codes, post, more):
    """From the words of the memory, by whole numbers; with ``more``, beside a layer of wider codes."""
    network, step = prepared(Conv(filters=11, weights=weights, codes=codes, bias=True, post=post), activations)
    lines = lines_of(network, codes.bits + more)
    found = quotients(step, lines, CONFIG)
    sum_bits = 30
    line = line_parameters([found], lines, sum_bits)
    words = line_words([found], range(CONFIG.drains), line, sum_bits, lines.levels)
    assert len(words) == CONFIG.drains
    layer, shown = step.layer, set()
    lows, highs = channel_bounds(layer, activations)
    offsets = step.weights.offsets - layer.bias
    for emission in range(step.fold.blocks * step.fold.groups):
        for lane, (memory,) in enumerate(words):
            m = emission * CONFIG.drains + lane
            if m >= len(layer.weights):
                got = divided(memory[emission], line, sum_bits, lines.levels, np.arange(*sum_span(step, CONFIG.group)))
                assert not (got >> more).any(), "a filter that the layer lacks gives code 0"
                continue
            sums = np.arange(lows[m], highs[m] + 1, max(1, (highs[m] - lows[m]) // 20_000))
            got = divided(memory[emission], line, sum_bits, lines.levels, sums + offsets[m])
            want = golden(layer, codes, np.repeat(sums[:, None], len(layer.weights), 1))[:, m]
            assert np.array_equal(got >> more, want & ((1 << codes.bits) - 1))
            shown |= set(want.tolist())
    assert len(shown) > (codes.code_max - codes.code_min) // 2


def test_raw_sums_leave_what_the_units_add():
    spec = Dense(filters=5, bias=True, weights=Ternary())
    _, step = prepared(spec, Uniform(bits=2, signed=False), raw=True)
    network, _ = prepared(Conv(filters=2, codes=Uniform(bits=3, signed=False), post="line"), Binary())
    found = quotients(step, lines_of(network), CONFIG)
    assert np.array_equal(found.threshold[:5], step.weights.offsets - step.layer.bias)
