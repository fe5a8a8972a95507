import numpy as np
import pytest
from amaranth.lib import data

from rowloom.hw.lane_parameters import ExtraLanes
from rowloom.hw.program import layer_fields
from rowloom.hw.results import Results
from tests.hw.cycles import run
from tests.hw.machines import hardware, raw


def simulate(
    height, width, filters, *, strip, drains=2, few=0, argmax=False, patience=1.0, seed=0, ties=False, side=None
):
    """Two images [H, W, M] into the results and out again; what came out, and the values.

    With ``few``, images come by turns from that many lanes and from all ``drains`` of them. With ``side`` the pixels
    leave as squares, for each pixel of which ``filters`` values come in.
    """
    across = side or 1
    each = -(-filters // drains)
    strips = -(-height // strip)
    cols = min(strip, height)
    extra = ExtraLanes(count=drains - few, sum_bits=12, threshold_depth=1, line=None) if few else None
    depth = strips * width * across**2 * -(-filters // (few or drains))
    hw = hardware(
        drains=few or drains, extra=extra, result_lanes=drains, result_cols=cols, result_depth=depth,
        result_squares=side is not None,
    )  # fmt: skip
    fields = layer_fields(hw)
    results = Results(hardware=hw, program=data.StructLayout(fields))
    record = {
        "pixels": width - 1, "o_height": height, "strip": strip, "channels": filters - 1, "argmax": int(argmax),
        "r_across": across - 1, "r_line": across * each, "r_skip": (across - 1) * across * each,
    }  # fmt: skip
    rng = np.random.default_rng(seed)
    span = 2 if ties else 2000
    images = rng.integers(-span, span, (2, height, width, across**2, filters))
    got = []

    async def producer(ctx):
        for i, image in enumerate(images):
            together = few if few and i % 2 == 0 else drains
            record["wide"] = int(together > hw.drains)
            ctx.set(results.program, raw(fields, record))
            ctx.set(results.start, 1)
            await ctx.tick()
            ctx.set(results.start, 0)
            for s, f, e in np.ndindex(strips, width, across**2 * -(-filters // together)):
                ctx.set(results.enable, 1)
                for q, k in np.ndindex(cols, together):
                    y, (pixel, m) = s * strip + q, divmod(e * together + k, -(-filters // together) * together)
                    value = int(image[y, f, pixel, m]) if y < height and m < filters else 99
                    ctx.set(getattr(results, f"value_{k}_{q}"), value)
                await ctx.tick()
                ctx.set(results.enable, 0)
                if rng.random() < 0.3:
                    await ctx.tick()
            ctx.set(results.done, 1)
            await ctx.tick()
            ctx.set(results.done, 0)
            ctx.set(results.program, raw(fields, {}))  # the sequencer goes on to the next image
            assert ctx.get(results.busy)
            await ctx.tick().until(~results.busy)
        await ctx.tick().until(~results.output.valid)

    async def consumer(ctx):
        shown = None
        while True:
            ready = int(rng.random() < patience)
            ctx.set(results.output.ready, ready)
            beat = ctx.get(results.output.payload.value), ctx.get(results.output.payload.last)
            valid = ctx.get(results.output.valid)
            if shown is not None:
                assert valid
                assert beat == shown, "a beat must stay until it is taken"
            shown = beat if valid and not ready else None
            if valid and ready:
                got.append(beat)
            await ctx.tick()

    run(results, producer, background=[consumer])
    squares = images.reshape(2, height, width, across, across, filters).transpose(0, 1, 3, 2, 4, 5)
    return got, squares.reshape(2, height * across, width * across, filters)


@pytest.mark.parametrize("patience", [1.0, 0.3], ids=["", "back-pressure"])
@pytest.mark.parametrize(
    ("height", "width", "filters", "strip", "drains"),
    [(1, 1, 10, 3, 2), (1, 1, 1, 1, 1), (5, 3, 4, 2, 2), (4, 2, 5, 4, 2), (3, 4, 3, 1, 4), (7, 1, 6, 3, 3)],
)
def test_values_leave_in_the_order_y_x_c(height, width, filters, strip, drains, patience):
    got, images = simulate(height, width, filters, strip=strip, drains=drains, patience=patience)
    assert [value for value, _ in got] == images.reshape(-1).tolist()
    size = images[0].size
    assert [last for _, last in got] == ([0] * (size - 1) + [1]) * 2


@pytest.mark.parametrize("patience", [1.0, 0.3], ids=["", "back-pressure"])
@pytest.mark.parametrize("side", [1, 2, 3])
@pytest.mark.parametrize(
    ("height", "width", "filters", "strip", "drains"), [(1, 1, 1, 1, 1), (5, 3, 4, 2, 2), (4, 2, 5, 3, 2)]
)
def test_squares_leave_line_by_line(height, width, filters, strip, drains, side, patience):
    got, images = simulate(height, width, filters, strip=strip, drains=drains, patience=patience, side=side)
    assert [value for value, _ in got] == images.reshape(-1).tolist()
    size = images[0].size
    assert [last for _, last in got] == ([0] * (size - 1) + [1]) * 2


@pytest.mark.parametrize("patience", [1.0, 0.3], ids=["", "back-pressure"])
@pytest.mark.parametrize("ties", [False, True], ids=["", "ties"])
@pytest.mark.parametrize("filters", [1, 2, 9, 10])
def test_argmax_gives_the_lowest_index_of_the_greatest(filters, ties, patience):
    for seed in range(4):
        got, images = simulate(1, 1, filters, strip=1, argmax=True, patience=patience, seed=seed, ties=ties)
        assert got == [(int(np.argmax(image)), 1) for image in images]
