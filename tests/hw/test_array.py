import numpy as np
import pytest

from rowloom.hw.array import ProcessingArray
from rowloom.model.encodings import Uniform
from tests.hw.cycles import trace
from tests.hw.machines import array_parameters

TWO_BITS, THREE_BITS = (Uniform(bits=bits, signed=False) for bits in (2, 3))


def pack(codes, bits=1):
    return int(sum(int(code) << (i * bits) for i, code in enumerate(codes)))


@pytest.mark.parametrize(
    ("parameters", "drains", "group"),
    [
        ({"rows": 6, "lanes": 5}, 1, 3),
        ({"rows": 6, "lanes": 5}, 2, 2),
        ({"rows": 4, "lanes": 3}, 4, 1),
        ({"rows": 2, "lanes": 3, "unit": "sign", "stacked": True, "activations": THREE_BITS, "sum_bits": 12}, 2, 2),
        ({"rows": 3, "lanes": 2, "unit": "sign", "stacked": True, "activations": TWO_BITS, "sum_bits": 12}, 1, 3),
    ],
    ids=["one-chain", "two-chains", "a-chain-a-row", "stacked", "stacked-one-chain"],
)
def test_chains_deliver_every_rows_sum(parameters, drains, group):
    """Two accumulations back to back, drained while the second one runs, against numpy."""
    parameters = array_parameters(**parameters)
    cols, length, bits = 2, 8, parameters.activation_bits
    array = ProcessingArray(parameters=parameters, cols=cols, group=group, drains=drains, stream_bits=32)
    rng = np.random.default_rng(drains)
    time = 2 * length
    codes = rng.integers(0, 1 << bits, (time, cols, group, parameters.lanes))
    live = rng.random((time, cols, group)) < 0.8
    codes[~live] = 0
    weights = rng.integers(0, 2, (time, parameters.rows, array.products))
    inputs = []
    for t in range(time):
        given = {"accumulate": 1, "capture": int(t % length == length - 1)}
        for q in range(cols):
            for j in range(group):
                given[f"stream_{j}_{q}"] = pack(codes[t, q, j], bits) | 1 << 31
                given[f"live_{j}_{q}"] = int(live[t, q, j])
        given |= {f"weights_{p}": pack(weights[t, p]) for p in range(parameters.rows)}
        inputs.append(given)
    chain = parameters.rows // drains
    captured = [length * (i + 1) - 1 + array.latency for i in range(2)]
    inputs += [{} for _ in range(array.latency + chain + 2)]
    for at in captured:
        for step in range(1, chain + 1):
            inputs[at + step]["shift"] = 1
    heads = [f"sum_{k}_{q}" for k in range(drains) for q in range(cols)]
    seen = trace(array, inputs, ["captured", *heads])
    assert [t for t, cycle in enumerate(seen) if cycle["captured"]] == captured

    for i, at in enumerate(captured):
        part = slice(i * length, (i + 1) * length)
        for p in range(parameters.rows):
            k, row = p % drains, p // drains
            for q in range(cols):
                streams = range(group) if parameters.stacked else [row % group]
                values = np.concatenate([codes[part, q, j] for j in streams], axis=1)
                alive = np.stack([live[part, q, j] for j in streams]).any(0)
                if parameters.unit == "xnor":
                    counts = (values == weights[part, p]).sum(1)
                    want = np.where(alive, counts, array.products // 2).sum()
                else:
                    owed = (weights[part, p, ::2] == 0).sum()
                    want = (values * (2 * weights[part, p] - 1)).sum() - owed
                assert seen[at + 1 + row][f"sum_{k}_{q}"] == want, (i, p, q)


def test_merged_rows_stand_side_by_side():
    """The low lanes of all streams in every row; without ``merge`` each row's own stream."""
    parameters = array_parameters(rows=3, lanes=8, planes=True, merged=2)
    array = ProcessingArray(parameters=parameters, cols=2, group=3, drains=1, stream_bits=8)
    rng = np.random.default_rng(1)
    inputs, want = [], []
    for t in range(20):
        merge = t % 2
        codes = rng.integers(0, 2, (2, 3, 8))
        weights = rng.integers(0, 2, (3, 8))
        if merge:
            codes[..., 2:] = 0
        given = {"accumulate": 1, "capture": 1, "merge": merge}
        given |= {f"stream_{j}_{q}": pack(codes[q, j]) for q in range(2) for j in range(3)}
        given |= {f"live_{j}_{q}": 1 for q in range(2) for j in range(3)}
        inputs.append(given | {f"weights_{p}": pack(weights[p]) for p in range(3)})
        words = [np.concatenate([*codes[q, :, :2], [0, 0]]) if merge else codes[q, 0] for q in range(2)]
        want.append([int((word == weights[0]).sum()) for word in words])
    seen = trace(array, inputs, ["sum_0_0", "sum_0_1"], extra=array.latency + 1)
    assert [list(cycle.values()) for cycle in seen[array.latency + 1 :]] == want


def test_latency_is_the_units():
    array = ProcessingArray(parameters=array_parameters(lanes=32), cols=1, group=2, drains=2, stream_bits=32)
    trace(array, [{}], [])
    assert array.latency == 4
