import itertools
from dataclasses import replace

import pytest
from amaranth.lib import data

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.issue import IssueNest
from rowloom.hw.mapping.planes import planes_for
from rowloom.hw.program import layer_fields
from rowloom.model.encodings import DoReFa, Ternary, Uniform
from rowloom.model.layers import Linear, MaxPool2d
from tests.hw.cycles import run
from tests.hw.machines import raw, records
from tests.hw.networks import Conv, Dense, Pool, make_network

CASES = {
    "padded": ([Conv(filters=7, padding=(1, 1, 1, 1)), Conv(filters=9, padding=(1, 1, 1, 1))], (9, 5, 1)),
    "strides": (
        [Conv(filters=5, kernel=(2, 3), stride=(2, 3)), Conv(filters=3, kernel=(3, 1), stride=(2, 1))],
        (13, 9, 2),
    ),
    "dilation": (
        [Conv(filters=9, kernel=(1, 1)), Conv(filters=3, kernel=(3, 2), dilation=(2, 3), padding=(4, 1, 0, 3))],
        (6, 7, 1),
    ),
    "tall-kernel": ([Conv(filters=4, kernel=(5, 3), padding=(4, 2, 1, 0)), Conv(filters=6, kernel=(1, 1))], (6, 4, 3)),
    "pools": (
        [Conv(filters=11), Pool(kernel=(3, 2), stride=(2, 1), padding=(1, 0, 0, 1)), Dense(filters=4)],
        (9, 6, 1),
    ),
    "one-row": ([Conv(filters=3, kernel=(1, 3), padding=(0, 0, 1, 1)), Dense(filters=5)], (1, 9, 1)),
    "planes": (
        [
            Conv(filters=7, padding=(1, 1, 1, 1), codes=Uniform(bits=3, signed=True)),
            Conv(filters=9, padding=(1, 1, 1, 1), weights=Ternary(), codes=Uniform(bits=2, signed=False)),
            Conv(filters=5, kernel=(5, 2), stride=(2, 1), weights=DoReFa(2), codes=Uniform(bits=2, signed=False)),
            Conv(filters=3, kernel=(1, 1), weights=Uniform(bits=3, signed=True)),
        ],
        (9, 5, 1),
    ),
    "planes-beside-others": (
        [Conv(filters=9, kernel=(2, 2)), Conv(filters=4), Pool(), Conv(filters=3, padding=(1, 1, 1, 1))],
        (9, 8, 2),
    ),
    "far-stride": ([Conv(filters=3, kernel=(2, 2), stride=(9, 8))], (20, 12, 1)),
}
ARRAYS = {
    "6x3x4": ArrayConfig(rows=6, cols=3, lanes=4),
    "3x1x8": ArrayConfig(rows=3, cols=1, lanes=8),
    "5x4x5": ArrayConfig(rows=5, cols=4, lanes=5, group=2, drains=1, input_lanes=2),
}


def nest(design, i):
    """What a layer reads, word by word, from its shapes alone: a list of cycles, None for an idle one.

    A cycle is (first, last, odd, double, weight address, {(j, q): (bank, address) or None for padding}).
    """
    plan, layer = design.layers[i], design.network.layers[i]
    fold, layout = plan.fold, design.layout(layer.input)
    pool = isinstance(layer, MaxPool2d)
    dense = isinstance(layer, Linear)
    rows = layout.shape[0] if dense else layer.kernel[0] if pool else layer.weights.shape[1]
    top, left = (0, 0) if dense else (layer.padding[0], 0 if layout.packed else layer.padding[2])
    stride = (1, 1) if dense else (layer.stride[0], 1 if layout.packed else layer.stride[1])
    dilation = (1, 1) if dense or pool else layer.dilation
    height = design.network.tensor(layer.output).shape[0]
    base = sum(weight_words(design, other) for other in range(i) if design.layers[other].unit == plan.unit)
    planes = taken_apart(design, i)
    pairs = planes.pairs if planes else [None]
    stored = planes.stored if planes else 1
    spare = layout.words * layout.lanes - layout.channels
    for strip, pixel in itertools.product(range(fold.strips), range(fold.pixels)):
        for block in range(fold.blocks):
            window = list(itertools.product(range(fold.chunks), range(fold.taps), range(fold.words)))
            inner = [(p, *place) for p in range(len(pairs)) for place in enumerate(window)]
            assert len(inner) == fold.accumulation
            for n, (p, position, (chunk, tap, word)) in enumerate(inner):
                pair, weight = pairs[p], base + (block * len(window) + position) * stored
                double = int(p > 0 and position == 0 and pair.exponent < pairs[p - 1].exponent)
                if pair:
                    weight += pair.weights
                streams = {}
                for q, j in itertools.product(range(fold.strip), range(design.hardware.group)):
                    if strip * fold.strip + q >= height:
                        continue
                    r = chunk * fold.chunk_rows + (j if fold.sum_rows else 0)
                    y = (strip * fold.strip + q) * stride[0] + r * dilation[0] - top
                    x = pixel * stride[1] + tap * dilation[1] - left
                    inside = 0 <= y < layout.shape[0] and 0 <= x < layout.width
                    if not inside or r >= rows:
                        streams[j, q] = None
                        continue
                    at = x * layout.words + (block if pool else word)
                    if layout.planes:
                        at = at * layout.bits + pair.activations
                    streams[j, q] = y % layout.banks, layout.base + y // layout.banks * layout.row_words + at
                odd = int(not pool and word == layout.words - 1 and spare % 2)
                if planes and planes.solid:  # no word is dead
                    odd = 0
                yield int(n == 0), int(n == len(inner) - 1), odd, double, weight, streams
            for _ in range(fold.bubbles):
                yield None


def taken_apart(design, i):
    """The planes of a layer, None where it runs on units of its own."""
    layer = design.network.layers[i]
    if design.layers[i].planes == 1:
        return None
    return planes_for(layer.weight_encoding, design.network.tensor(layer.input).encoding)


def weight_words(design, i):
    """Words that a layer takes in each weight memory of its array."""
    fold, planes = design.layers[i].fold, taken_apart(design, i)
    return fold.blocks * fold.chunks * fold.taps * fold.words * (planes.stored if planes else 1)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("case", CASES)
def test_walks_the_loop_nest(case, array):
    """Addresses, banks, padding and flags of every cycle, against loops over the layer's shapes."""
    specs, shape = CASES[case]
    config = replace(ARRAYS[array], planes="always" if "planes" in case else "never")
    design = compile_network(make_network(specs, shape=shape), config)
    hw = design.hardware
    assert (hw.plane_pairs > 0) == ("planes" in case)
    fields = layer_fields(hw)
    issue = IssueNest(hardware=hw, program=data.StructLayout(fields), pairs=design.images.pairs)
    names = ["active_data", "first_data", "last_data", "odd_data", "double_data", "block_end", "weight_address"]
    names += [f"address_{b}" for b in range(hw.banks)]
    names += [f"{kind}_{j}_{q}" for kind in ("select", "live") for j in range(hw.group) for q in range(hw.cols)]
    padded = 0

    async def bench(ctx):
        nonlocal padded
        for i, record in enumerate(records(design)[1]):
            want = list(nest(design, i))
            while want[-1] is None:
                want.pop()
            seen = []
            ctx.set(issue.program, raw(fields, record))
            ctx.set(issue.start, 1)
            await ctx.tick()
            ctx.set(issue.start, 0)
            for _ in range(len(want) + 6):  # cycle 0 is the first turn
                seen.append({name: ctx.get(getattr(issue, name)) for name in names})
                await ctx.tick()
            assert [cycle["active_data"] for cycle in seen] == [0] * 4 + [int(w is not None) for w in want] + [0] * 2
            ends = [t for t, cycle in enumerate(seen) if cycle["block_end"]]
            assert ends == [t + 2 for t, w in enumerate(want) if w and w[1]]
            for t, w in enumerate(want):
                if w is None:
                    continue
                first, last, odd, double, weight, streams = w
                now = seen[t + 4]
                assert (now["first_data"], now["last_data"]) == (first, last), (i, t)
                if design.layers[i].unit != "pool":
                    assert (now["odd_data"], seen[t + 3]["weight_address"]) == (odd, weight), (i, t)
                    assert now["double_data"] == double, (i, t)
                for (j, q), place in streams.items():
                    assert now[f"live_{j}_{q}"] == (place is not None), (i, t, j, q)
                    if place is None:
                        padded += 1
                        continue
                    bank, address = place
                    assert now[f"select_{j}_{q}"] == bank, (i, t, j, q)
                    assert seen[t + 2][f"address_{bank}"] == address, (i, t, j, q)

    run(issue, bench, limit=60_000)
    assert padded > 0 or not any(spec.padding != (0, 0, 0, 0) for spec in specs if not isinstance(spec, Dense))
