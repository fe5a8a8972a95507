from dataclasses import replace

import numpy as np
import pytest
from amaranth.lib import data

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.loader import Loader
from rowloom.hw.mapping.cycles import load_cycles
from rowloom.hw.program import input_fields
from rowloom.model.encodings import Binary, Uniform
from tests.hw.cycles import run
from tests.hw.machines import raw, records
from tests.hw.networks import Conv, make_network, random_codes

BITS = Uniform(bits=4, signed=False)

ZERO = Uniform(bits=4, signed=False, zero_point=5)
DEEP = Conv(filters=2, kernel=(7, 4), stride=(4, 2), weights=Uniform(bits=2, signed=True))

CASES = {
    "packed": ((7, 6, 1), BITS, Conv(filters=2, padding=(1, 1, 1, 1)), {}),
    "packed-stride": ((5, 9, 2), BITS, Conv(filters=2, kernel=(1, 3), stride=(1, 2), padding=(0, 0, 2, 1)), {}),
    "packed-gaps": ((5, 11, 1), BITS, Conv(filters=2, kernel=(2, 2), stride=(2, 4)), {}),
    "packed-wide": ((3, 2, 1), BITS, Conv(filters=2, kernel=(3, 5), padding=(2, 2, 4, 4)), {}),
    "packed-column": ((9, 1, 2), BITS, Conv(filters=2, kernel=(3, 3), padding=(1, 1, 1, 1)), {}),
    "packed-unread-right": ((4, 8, 1), BITS, Conv(filters=2, kernel=(3, 3), stride=(1, 3)), {}),
    "plain": ((6, 5, 3), BITS, Conv(filters=2), {"input_lanes": 3}),
    "plain-tail": ((6, 5, 5), BITS, Conv(filters=2), {"input_lanes": 3}),
    "plain-spare": ((4, 3, 3), BITS, Conv(filters=2), {"input_lanes": 4}),
    "plain-pointwise": ((3, 3, 2), BITS, Conv(filters=2, kernel=(1, 1)), {}),
    "packed-planes": ((7, 6, 1), BITS, Conv(filters=2, padding=(1, 1, 1, 1)), {"planes": "always"}),
    "packed-gaps-planes": ((5, 11, 1), BITS, Conv(filters=2, kernel=(2, 2), stride=(2, 4)), {"planes": "always"}),
    "packed-wide-planes": ((3, 2, 1), BITS, Conv(filters=2, kernel=(3, 5), padding=(2, 2, 4, 4)), {"planes": "always"}),
    "plain-tail-planes": ((4, 3, 8), BITS, Conv(filters=2), {"planes": "always"}),
    "plain-signed-planes": ((4, 3, 5), Uniform(bits=3, signed=True), Conv(filters=2), {"planes": "always"}),
    "packed-words": ((5, 7, 3), BITS, Conv(filters=2, kernel=(3, 5), padding=(0, 0, 2, 1)), {}),
    "packed-words-stride": ((6, 9, 3), BITS, Conv(filters=2, kernel=(3, 5), stride=(1, 2)), {}),
    "packed-words-gaps": ((6, 12, 4), BITS, Conv(filters=2, kernel=(2, 3), stride=(1, 4)), {}),
    "packed-words-deep": ((11, 9, 3), BITS, DEEP, {}),
    "packed-words-deep-top": ((12, 8, 3), BITS, replace(DEEP, padding=(3, 0, 1, 2)), {}),
    "packed-words-deep-bottom": ((12, 8, 3), BITS, replace(DEEP, padding=(2, 2, 0, 2)), {}),
    "packed-words-deep-zero": ((11, 9, 3), ZERO, replace(DEEP, padding=(4, 0, 1, 1)), {}),
    "packed-deep": ((11, 9, 1), BITS, replace(DEEP, kernel=(7, 5)), {}),
    "binary": ((5, 4, 9), Binary(), Conv(filters=2), {}),
    "binary-one-channel": ((5, 4, 1), Binary(), Conv(filters=2), {}),
}


@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
@pytest.mark.parametrize("case", CASES)
def test_images_lie_as_the_layout_says(case, stalls):
    """Several images, with random pauses of the input, of the writer and of the memory's release."""
    shape, encoding, spec, options = CASES[case]
    network = make_network([spec], shape=shape, encoding=encoding)
    design = compile_network(
        network, ArrayConfig(**{"rows": 3, "cols": 2, "lanes": 6, "input_lanes": 12, "planes": "never"} | options)
    )
    hw, layout = design.hardware, design.layout("input")
    assert layout.packed == case.startswith("packed")
    assert layout.planes == hw.input_planes == case.endswith("planes")
    assert (hw.input_window > 0) == ("words" in case)
    assert (layout.deep > 1) == ("deep" in case)
    fields = input_fields(hw)
    loader = Loader(hardware=hw, program=data.StructLayout(fields))
    rng = np.random.default_rng(7)
    images = random_codes(rng, encoding, (4, *shape))
    banks = [[0] * hw.bank_depth for _ in range(hw.banks)]
    got, spent = [], []

    async def bench(ctx):
        ctx.set(loader.program, raw(fields, records(design)[0]))
        ctx.set(loader.start, 1)
        ctx.set(loader.free, 1)
        await ctx.tick()
        ctx.set(loader.start, 0)
        codes = iter(images.reshape(-1).tolist())
        code, held, since = next(codes), 0, 0
        while len(got) < len(images):
            if held:
                held -= 1
            ctx.set(loader.free, int(not held))
            valid = int(code is not None and not (stalls and rng.random() < 0.3))
            ctx.set(loader.input.valid, valid)
            ctx.set(loader.input.payload, code if valid else 0)
            ready = int(not (stalls and rng.random() < 0.3))
            ctx.set(loader.load_ready, ready)
            if ctx.get(loader.load_enable) and ready:
                banks[ctx.get(loader.load_bank)][ctx.get(loader.load_address)] = ctx.get(loader.load_data)
            if valid and ctx.get(loader.input.ready):
                code = next(codes, None)
            since += 1
            if ctx.get(loader.loaded):
                got.append(layout.extract(banks))
                spent.append(since)
                since = -1  # the cycle in which it sees that the memory is free
                for bank in banks:
                    bank[:] = [(1 << hw.word_bits) - 1] * len(bank)
                held = int(rng.integers(1, 5)) if stalls else 0
            await ctx.tick()

    run(loader, bench)
    seen = np.ones(shape, bool)
    if layout.packed:
        columns = {f * layout.stride - layout.padding + s for f in range(layout.columns) for s in range(layout.window)}
        seen[:, [x for x in range(shape[1]) if x not in columns]] = False
    for image, codes in zip(images, got, strict=True):
        assert np.array_equal(codes[seen], image[seen])
    if not stalls:
        assert spent[1:] == [load_cycles(layout)] * (len(images) - 1)
