import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.weights import row_weights
from rowloom.model.encodings import Binary, Uniform
from tests.hw.networks import Conv, Dense, make_network


def laid(specs, shape, config, encoding, half=False):
    """Weights of a one-layer network as :func:`row_weights` lays them, and what it was told."""
    from dataclasses import replace

    from rowloom.hw.mapping.window import window_of

    network = make_network(specs, shape=shape, encoding=encoding)
    design = compile_network(network, config)
    layer, source, array = network.layers[0], design.layout("input"), replace(design.hardware.arrays[0], half=half)
    window = window_of(layer, source, network.tensor(layer.output).shape)
    fold = design.layers[0].fold
    return row_weights(layer, source, window, fold, array, config), layer, source, fold, array.spec


@pytest.mark.parametrize(
    ("specs", "shape", "config"),
    [
        ([Conv(filters=7)], (6, 6, 6), ArrayConfig(rows=6, cols=2, lanes=4)),
        ([Conv(filters=3, kernel=(5, 2))], (6, 6, 3), ArrayConfig(rows=6, cols=2, lanes=4)),
        ([Conv(filters=20, kernel=(1, 1))], (3, 3, 9), ArrayConfig(rows=8, cols=1, lanes=4)),
        ([Dense(filters=5)], (4, 3, 5), ArrayConfig(rows=3, cols=2, lanes=5)),
        ([Conv(filters=4, kernel=(7, 1))], (8, 2, 2), ArrayConfig(rows=12, cols=1, lanes=4, group=3)),
    ],
    ids=["3x3", "5x2", "1x1", "dense", "7x1"],
)
def test_a_row_holds_its_filter_in_the_order_of_the_loop_nest(specs, shape, config):
    """Row, time and lane of every weight, from the rule for filters and rows alone."""
    weights, layer, source, fold, spec = laid(specs, shape, config, Binary())
    filters, rows, taps, channels = layer.weights.shape
    drains = config.drains
    seen = np.zeros(weights.words.shape, bool)
    for m, r, s, c in np.ndindex(filters, rows, taps, channels):
        chain, rest = m % drains, m // drains
        block, total = divmod(rest, fold.groups)
        chunk, j = divmod(r, fold.chunk_rows)
        row = (total * fold.rows_summed + j) * drains + chain
        word, lane = divmod(c, source.lanes)
        time = ((block * fold.chunks + chunk) * fold.taps + s) * fold.words + word
        assert weights.words[row, time, lane] == layer.weights[m, r, s, c]
        seen[row, time, lane] = True
    assert seen.sum() == layer.weights.size
    assert weights.offsets.shape == (filters,)
    spare = fold.words * source.lanes - channels
    assert weights.odd == spare % 2
    # lanes without a channel beside a used one hold the unit's fill
    used = seen.any(-1)
    last = weights.words[used].reshape(-1, weights.words.shape[-1])[~seen[used]]
    assert sorted(last) == sorted(np.tile(spec.fill(spare), len(last) // max(1, spare)).tolist())


def test_rows_stand_side_by_side_in_a_stacked_array():
    config = ArrayConfig(rows=6, cols=2, lanes=8, group=2, drains=2, input_lanes=2)
    weights, layer, source, _, _ = laid(
        [Conv(filters=3, kernel=(3, 3)), Conv(filters=2)],
        (6, 6, 2),
        config,
        Uniform(bits=4, signed=False),
    )
    assert not source.packed
    for m, r, s, c in np.ndindex(layer.weights.shape):
        block, row = divmod(m, 2)
        chunk, j = divmod(r, 2)
        time = (block * 2 + chunk) * 3 + s
        assert weights.words[row, time, j * 2 + c] == layer.weights[m, r, s, c]


def test_a_window_is_one_tap():
    config = ArrayConfig(rows=6, cols=2, lanes=8, group=3, drains=2, input_lanes=6)
    weights, layer, source, fold, _ = laid(
        [Conv(filters=4), Conv(filters=2)], (6, 6, 2), config, Uniform(bits=4, signed=False)
    )
    assert source.packed
    assert fold.taps == 1
    for m, r, s, c in np.ndindex(layer.weights.shape):
        block, row = divmod(m, 2)
        assert weights.words[row, block, r * 6 + s * 2 + c] == layer.weights[m, r, s, c]


def test_a_row_of_the_banks_has_the_windows_of_several_input_rows():
    """A kernel of 7 rows, 3 of them above the map: with one row of zeros before it, it takes two rows of four."""
    weights_of = Uniform(bits=3, signed=True)
    spec = Conv(filters=4, kernel=(7, 3), stride=(4, 1), padding=(3, 1, 0, 0), weights=weights_of)
    weights, layer, source, fold, spec = laid(
        [spec], (8, 6, 3), ArrayConfig(rows=6, cols=2, lanes=4), Uniform(bits=4, signed=False)
    )
    assert (source.deep, source.window_words, fold.chunks * fold.chunk_rows) == (4, 3, 2)
    seen = np.zeros(weights.words.shape, bool)
    for m, r, s, c in np.ndindex(layer.weights.shape):
        chain, rest = m % 2, m // 2
        block, total = divmod(rest, fold.groups)
        row, turn = divmod(r + 1, 4)
        chunk, j = divmod(row, fold.chunk_rows)
        word, lane = divmod(s * 3 + c, 4)
        time = (block * fold.chunks + chunk) * fold.words + turn * 3 + word
        at = (total * fold.rows_summed + j) * 2 + chain, time, lane
        assert weights.words[at] == layer.weights[m, r, s, c]
        seen[at] = True
    assert seen.sum() == layer.weights.size
    assert not weights.words[~seen].any()


@pytest.mark.parametrize(
    ("channels", "padding", "needed"),
    [(4, 1, False), (3, 1, True), (2, 1, False), (3, 0, False), (5, 1, True), (7, 1, True)],
)
def test_the_half_bit_is_needed_for_padding_and_an_odd_number_of_absent_lanes(channels, padding, needed):
    config = ArrayConfig(rows=3, cols=1, lanes=4)
    spec = Conv(filters=2, padding=(padding,) * 4)
    without = laid([spec], (4, 4, channels), config, Binary())[0]
    assert without.needs_half == needed
    assert not laid([spec], (4, 4, channels), config, Binary(), half=True)[0].needs_half
