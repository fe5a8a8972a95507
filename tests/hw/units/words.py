"""Feeds words of codes to a unit, and holds its sums to what its spec says of them."""

import itertools

import numpy as np

from rowloom.hw.units import make_unit
from rowloom.model.operation import Operation
from tests.hw.cycles import trace


def codes_of(encoding):
    """All codes of an encoding."""
    return np.arange(encoding.code_min, encoding.code_max + 1)


def pack(codes, bits):
    """Codes side by side in a word, the first in the low bits."""
    return sum((int(code) & ((1 << bits) - 1)) << (i * bits) for i, code in enumerate(codes))


def count_words(spec, lanes):
    """How many words of activations and weights there are."""
    return (len(codes_of(spec.activations)) * len(codes_of(spec.weights))) ** lanes


def few_words(specs, lanes, limit):
    """The specs with at most ``limit`` words to try."""
    return [spec for spec in specs if count_words(spec, lanes) <= limit]


def all_words(spec, lanes, *, absent=0):
    """Every word of activations with every word of weights, shuffled: two int64 [n, lanes].

    The last ``absent`` lanes hold no channel.
    """
    used = lanes - absent
    rng = np.random.default_rng(lanes)
    options = [codes_of(spec.activations)] * used + [codes_of(spec.weights)] * used
    words = rng.permutation(np.array(list(itertools.product(*options)), np.int64), axis=0)
    activations, weights = words[:, :used], words[:, used:]
    return _without(spec, activations, weights, absent)


def random_words(spec, lanes, count, *, absent=0, seed=0):
    """Words of least and greatest values first, all alike or in turns, then one of zeros, then random ones."""
    rng = np.random.default_rng(seed)
    used = lanes - absent
    ends = [_ends(encoding) for encoding in (spec.activations, spec.weights)]
    lane = np.arange(used)
    turns = [np.zeros(used, int), np.ones(used, int), lane % 2, 1 - lane % 2]
    extremes = [(ends[0][i], ends[1][j]) for i, j in itertools.product(turns, turns)]
    activations, weights = (
        np.concatenate([[e[i] for e in extremes], [0 * lane], rng.choice(codes_of(encoding), (count, used))])
        for i, encoding in enumerate((spec.activations, spec.weights))
    )
    return _without(spec, activations, weights, absent)


def _ends(encoding):
    codes = codes_of(encoding)
    values = encoding.decode(codes)
    return np.array([codes[values.argmin()], codes[values.argmax()]])


def _without(spec, activations, weights, absent):
    count = len(activations)
    empty, fill = np.zeros((count, absent), np.int64), np.broadcast_to(spec.fill(absent), (count, absent))
    return np.concatenate([activations, empty], axis=1), np.concatenate([weights, fill], axis=1)


def sums_of(spec, activations, weights, *, live=None, absent=0):
    """Sums of the gates, after exactly the latency that the spec states."""
    count, lanes = activations.shape
    live = np.ones(count, bool) if live is None else live
    unit = make_unit(spec, lanes=lanes)
    assert unit.latency == spec.latency(lanes)
    inputs = [
        {
            "activations": pack(a, spec.activations.bits),
            "weights": pack(w, spec.weights.bits),
            "live": int(on),
            "odd": absent % 2,
        }
        for a, w, on in zip(activations, weights, live, strict=True)
    ]
    seen = trace(unit, inputs, ["sum"], extra=unit.latency)
    return np.array([cycle["sum"] for cycle in seen[unit.latency :]])


def products_of(spec, activations, weights):
    """What the unit's operation makes of codes, one by one."""
    a, w = spec.activations.decode(activations), spec.weights.decode(weights)
    return a * w if spec.OPERATION is Operation.MULTIPLY else -abs(a - w)


def check(spec, activations, weights, *, live=None, absent=0):
    """Hold ``sum << shift == products + offset``, and the range; return the sums."""
    count, lanes = activations.shape
    live = np.ones(count, bool) if live is None else live
    activations = np.where(live[:, None], activations, 0)
    got = sums_of(spec, activations, weights, live=live, absent=absent)
    used = slice(0, lanes - absent)
    products = products_of(spec, activations, weights)[:, used].sum(1)
    gaps = np.int64(absent)
    want = np.where(live, products + spec.offset(weights, gaps), spec.dead_offset(weights, gaps))
    np.testing.assert_array_equal(got << spec.shift, want)
    low, high = spec.word_range(lanes)
    assert low <= got.min()
    assert got.max() <= high
    return got


def check_every_word(spec, lanes, *, absent=0):
    """Every word, then dead words of every weight."""
    activations, weights = all_words(spec, lanes, absent=absent)
    dead = np.repeat(codes_of(spec.weights)[:, None], lanes, axis=1)
    live = np.arange(len(weights) + len(dead)) < len(weights)
    check(
        spec,
        np.concatenate([activations, np.zeros_like(dead)]),
        np.concatenate([weights, dead]),
        live=live,
        absent=absent,
    )


def check_random_words(spec, lanes):
    """Extremes, random words, dead words among them; words with absent lanes; the range is used up to a lane's one."""
    count = 300 if lanes < 16 else 12
    activations, weights = random_words(spec, lanes, count, seed=lanes)
    live = np.random.default_rng(lanes + 1).random(len(weights)) < 0.8
    live[:17], live[-1] = True, False
    got = check(spec, activations, weights, live=live)
    low, high = spec.word_range(lanes)
    assert got.min() - low <= lanes
    assert high - got.max() <= lanes
    for absent in sorted({1, lanes // 2, lanes - 1}):
        check(spec, *random_words(spec, lanes, count // 4, absent=absent, seed=absent), absent=absent)
