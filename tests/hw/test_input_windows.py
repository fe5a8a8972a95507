"""Windows of the input that take several words, and rows of the banks that hold several input rows."""

from dataclasses import replace

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cycles import load_cycles
from rowloom.model.encodings import Binary, Ternary, Uniform
from rowloom.sim import simulate
from tests.hw.graphs import Graph, byte

NARROW = Uniform(bits=2, signed=False)
SIGNED = Uniform(bits=4, signed=True, zero_point=-3)
WEIGHTS = Uniform(bits=3, signed=True)
SAME = (1, 1, 1, 1)

TALL = ArrayConfig(rows=6, cols=2, lanes=4)
WIDE = ArrayConfig(rows=4, cols=3, lanes=6)


def words():
    """Windows of nine codes, with padding that holds the code that means 0."""
    g = Graph((7, 8, 3), SIGNED, weights=WEIGHTS, seed=1)
    g.dense(g.conv("input", 6, padding=SAME, stride=(1, 2)), 5, raw=True)
    return g.network()


def words_of_signs():
    """No weight means 0."""
    g = Graph((9, 8, 3), NARROW, weights=Binary(), seed=1)
    g.dense(g.conv("input", 6, padding=SAME, stride=(2, 1)), 5, raw=True)
    return g.network()


def rows():
    """Stride 4: a row of weights of 0 above the kernel, and whole rows of padding below the map."""
    g = Graph((16, 11, 2), NARROW, weights=Ternary(), seed=1)
    a = g.conv("input", 6, (7, 5), padding=(3, 2, 2, 1), stride=(4, 3))
    g.dense(g.conv(a, 6, (2, 2), padding=SAME), 5, raw=True)
    return g.network()


def rows_with_a_zero_point():
    """The last row of the banks is not full."""
    g = Graph((15, 9, 3), SIGNED, weights=WEIGHTS, seed=1)
    g.dense(g.conv("input", 7, (7, 4), padding=(4, 0, 1, 2), stride=(4, 2)), 5, raw=True)
    return g.network()


def rows_of_bytes():
    """On a small array of the input's own, whose elements take several rows of the banks at once."""
    g = Graph((23, 13, 3), byte(), weights=WEIGHTS, seed=1)
    a = g.conv("input", 9, (8, 5), padding=(1, 0, 0, 0), stride=(5, 3), codes=NARROW)
    g.dense(g.conv(a, 6, (2, 2), padding=SAME, codes=NARROW), 5, raw=True)
    return g.network()


#: Network, array, whether the streams pause; words of a window, input rows of a row.
CASES = {
    "words": (words, WIDE, True, 2, 1),
    "words-of-signs": (words_of_signs, WIDE, False, 2, 1),
    "rows": (rows, TALL, False, 3, 4),
    "rows-with-a-zero-point": (rows_with_a_zero_point, replace(TALL, prefetch=False), True, 3, 4),
    "words-with-a-zero-point": (rows_with_a_zero_point, WIDE, True, 2, 1),
    "rows-of-bytes": (rows_of_bytes, ArrayConfig(rows=6, cols=2, lanes=8, input_lanes=4), True, 4, 5),
    "words-of-bytes": (rows_of_bytes, ArrayConfig(rows=4, cols=3, lanes=6, input_lanes=6), False, 3, 1),
}


@pytest.mark.cocotb
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if i % 2 else []) for i, case in enumerate(CASES)]
)
def test_matches_golden_and_the_cycle_model(case):
    make, config, stalls, wanted_words, deep = CASES[case]
    network = make()
    design = compile_network(network, config)
    layout = design.layout("input")
    assert (layout.window_words, layout.deep) == (wanted_words, deep)
    assert design.hardware.arrays[0].stacked == case.endswith("of-bytes")
    source = network.tensor("input")
    low, high = source.encoding.code_min, source.encoding.code_max
    codes = np.random.default_rng(5).integers(low, high + 1, (3, *source.shape))
    kept = network.run(codes, keep="all")
    assert all(kept[layer.output].min() < kept[layer.output].max() for layer in network.layers)
    result = simulate(design, codes, stalls=stalls, seed=1)
    assert result.ok, result.summary()


def test_windows_are_packed_where_that_saves_cycles():
    """Three taps of a word of three channels as windows of nine codes: as many words of three, two words of six."""
    network = words()
    for lanes, packed in ((3, False), (6, True)):
        assert design_of(network, lanes).layout("input").packed == packed


def test_windows_that_would_take_longer_to_load_are_not_packed_where_nothing_hides_that():
    for prefetch in (True, False):
        design = compile_network(words(), replace(WIDE, prefetch=prefetch))
        assert design.layout("input").packed == prefetch


def test_a_tall_strip_takes_neighbouring_rows_whatever_the_stride():
    """Four columns that are 4 rows apart want 4 of 8 banks twice; as rows of the banks they are neighbours."""
    network = rows_with_a_zero_point()
    design = compile_network(network, ArrayConfig(rows=3, cols=4, lanes=6))
    assert design.layout("input").deep == 4
    assert design.layers[0].fold.strip == 4


def test_rows_that_would_be_missing_leave_the_map_as_it_is():
    """The last output row reads beyond a map whose last row of the banks would not be full."""
    g = Graph((15, 9, 3), SIGNED, weights=WEIGHTS, seed=1)
    g.conv("input", 7, (7, 4), padding=(2, 2, 1, 2), stride=(4, 2))
    assert compile_network(g.network(), TALL).layout("input").deep == 1


def test_loading_takes_a_cycle_for_each_further_word():
    """Seven rows of 8 * 3 codes and a column of padding on either side of which 3 enter; four windows of two words."""
    layout = design_of(words(), 6).layout("input")
    assert (layout.columns, layout.window_words) == (4, 2)
    assert load_cycles(layout) == 7 * (8 * 3 + 4 + 1)


def test_layers_that_disagree_read_pixels():
    g = Graph((7, 8, 3), SIGNED, weights=WEIGHTS, seed=1)
    a = g.conv("input", 6, padding=SAME)
    g.dense(g.concat(a, g.conv("input", 6, (1, 1))), 5, raw=True)
    assert not compile_network(g.network(), ArrayConfig(rows=3, cols=2, lanes=12)).layout("input").packed


def design_of(network, lanes):
    return compile_network(network, ArrayConfig(rows=3, cols=2, lanes=lanes))
