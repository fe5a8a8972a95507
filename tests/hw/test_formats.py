"""Accelerators of every number format against the golden model: every value of every layer, and every cycle."""

from functools import cache

import numpy as np

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from tests.hw.formats import ACTIVATIONS, WEIGHTS
from tests.hw.networks import BYTES, Case, Conv, Dense, Pool, make_network, random_codes

#: Seeds whose networks use all usual units and kinds of codes between them, and more for a long run.
SEEDS = ()
MORE_SEEDS = range(1000, 1020)


def random_formats(seed):
    """A small network of random encodings, and an array to run it; it may be one that an accelerator refuses."""
    rng = np.random.default_rng(seed)
    weights = [WEIGHTS[i] for i in rng.integers(len(WEIGHTS), size=2)]
    codes = [ACTIVATIONS[i] for i in rng.integers(len(ACTIVATIONS), size=2)]
    encoding = BYTES if rng.random() < 0.6 else ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    side, channels = [int(n) for n in rng.integers(5, 9, 2)], int(rng.integers(1, 4))
    specs, shape = [], (*side, channels)
    for i in range(int(rng.integers(1, 3))):
        kernel = tuple(int(n) for n in rng.integers(1, np.minimum(side, 3) + 1))
        padding = [int(n) for k in kernel for n in rng.integers(0, k, 2)] if rng.random() < 0.6 else [0] * 4
        stride = int(rng.choice([1, 1, 2]))
        specs.append(
            Conv(
                filters=int(rng.integers(2, 12)),
                kernel=kernel,
                padding=tuple(padding),
                stride=(stride, stride),
                bias=bool(rng.random() < 0.4),
                weights=weights[i],
                codes=codes[i],
            )
        )
        side = [(side[n] + sum(padding[2 * n : 2 * n + 2]) - kernel[n]) // stride + 1 for n in range(2)]
        if rng.random() < 0.5 and min(side) >= 3:
            pads = tuple(int(n) for n in rng.integers(0, 2, 4))
            specs.append(Pool(padding=pads))
            side = [(side[n] + sum(pads[2 * n : 2 * n + 2]) - 2) // 2 + 1 for n in range(2)]
    last = {"weights": weights[-1], "codes": codes[-1]}
    specs.append(Dense(filters=int(rng.integers(2, 8)), **last))
    network = make_network(specs, shape=shape, encoding=encoding, raw=bool(rng.random() < 0.6), seed=seed)
    rows = int(rng.choice([1, 2, 3, 4, 6]))
    config = ArrayConfig(rows=rows, cols=int(rng.integers(1, 4)), lanes=int(rng.choice([1, 2, 4, 5, 8])))
    return Case(network=network, config=config, images=random_codes(rng, encoding, (4, *shape)))


@cache
def compiled(seed):
    case = random_formats(seed)
    return case, compile_network(case.network, case.config)


def features(case, design):
    """What of the formats a case uses."""
    hw = design.hardware
    found = {f"unit {array.unit}" for array in hw.arrays} | {type(array.activations).__name__ for array in hw.arrays}
    targets = [case.network.tensor(layer.output).encoding for layer in case.network.layers if layer.op != "max_pool2d"]
    padded = [layer for layer in case.network.layers if layer.op == "conv2d" and any(layer.padding)]
    found |= {name for name, used in {
        "signed codes": any(encoding.signed for encoding, layer in zip(targets, hw.code_bits, strict=False)),
        "codes of two widths": len(hw.code_bits) > 1,
        "pool of codes": any(bits > 1 for bits, _ in hw.pooled),
        "pool of signed codes": any(is_signed for _, is_signed in hw.pooled),
        "codes out": design.network.layers[-1].post is not None,
        "zero that is not code 0": any(int(case.network.tensor(layer.input).encoding.decode(0)) for layer in padded),
        "eight levels": hw.levels == 8,
    }.items() if used}  # fmt: skip
    return found
