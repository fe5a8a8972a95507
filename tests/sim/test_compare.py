"""Replay and comparison, on traces written by hand."""

import numpy as np
import pytest

from rowloom.sim.compare import Comparison, compare_layers, compare_outputs
from rowloom.sim.trace import read_trace


class Row:
    """A tensor [1, width, 1], a code an address of bank 0."""

    def __init__(self, first, width):
        self.base, self.depth = first, width

    def extract(self, banks):
        return banks[0][self.base : self.base + self.depth].astype(np.int64).reshape(1, -1, 1)


def record(letter, cycle, index, number, word=0, bits=16):
    return f"{letter}{cycle:012x}{index:04x}{number:08x}{word:0{bits // 4}x}\n"


def written(tmp_path, *records, bits=16):
    path = tmp_path / "trace.hex"
    path.write_text("".join(records))
    return read_trace(path, bits)


def compare(trace, golden, **changed):
    options = {
        "layers": ["first", "second"],
        "tensors": ["a", "b"],
        "layouts": {"input": Row(4, 2), "a": Row(0, 2), "b": Row(2, 2)},
        "source": "input",
        "golden": golden,
        "banks": 1,
        "bank_depth": 6,
    }
    return compare_layers(trace, **{**options, **changed})


GOLDEN = {"a": np.array([[[[1], [2]]]]), "b": np.array([[[[3], [4]]]])}
RIGHT = [
    record("w", 10, 0, 0, 1),
    record("w", 11, 0, 1, 2),
    record("l", 11, 0, 7),
    record("w", 12, 0, 2, 9),
    record("w", 13, 0, 3, 4),
    record("w", 14, 0, 2, 3),
    record("l", 15, 1, 8),
]


def test_a_trace_is_read_back(tmp_path):
    trace = written(tmp_path, *RIGHT)
    assert trace.cycle.tolist() == [10, 11, 12, 13, 14]
    assert trace.address.tolist() == [0, 1, 2, 3, 2]
    assert trace.word.tolist() == [1, 2, 9, 4, 3]
    assert [(event.layer, event.cycles, event.cycle, event.writes) for event in trace] == [
        (0, 7, 11, slice(0, 2)),
        (1, 8, 15, slice(2, 5)),
    ]


@pytest.mark.parametrize("bits", [8, 64, 72, 512])
def test_words_of_any_width_are_read_whole(tmp_path, bits):
    words = [0, 1, (1 << bits) - 1, 0xA5 << (bits - 8)]
    trace = written(tmp_path, *(record("w", 0, 0, 0, word, bits) for word in words), bits=bits)
    assert [int(word) for word in trace.word] == words


def test_a_cut_off_trace_is_read_up_to_its_end(tmp_path):
    assert len(written(tmp_path, *RIGHT[:2], RIGHT[2][:-5]).cycle) == 2


def test_an_empty_trace_has_no_events(tmp_path):
    assert written(tmp_path).layers == ()


def test_what_is_no_record_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^line 2 of the trace is not a record: .*\?\?"):
        written(tmp_path, RIGHT[0], RIGHT[1][:-3] + "??\n")


def test_unknown_bits_are_a_problem(tmp_path):
    _, problems = compare(written(tmp_path, RIGHT[0], RIGHT[1][:-3] + "X2\n", *RIGHT[2:]), GOLDEN)
    assert problems == [
        "layer first: 1 writes of words that are unknown bits, the first in cycle 11 to bank 0, address 1"
    ]


def test_the_last_write_to_an_address_counts(tmp_path):
    comparisons, problems = compare(written(tmp_path, *RIGHT), GOLDEN)
    assert problems == []
    assert [(c.compared, c.mismatches, c.cycles) for c in comparisons] == [(2, 0, [7]), (2, 0, [8])]


def test_each_wrong_value_counts_and_the_first_is_told(tmp_path):
    golden = {"a": GOLDEN["a"], "b": np.array([[[[5], [6]]]])}
    comparisons, _ = compare(written(tmp_path, *RIGHT), golden)
    assert [c.mismatches for c in comparisons] == [0, 2]
    assert str(comparisons[1].first) == "layer second, image 0, y 0, x 0, channel 0: got 3, want 5"


def test_a_tensor_is_judged_when_its_layer_ends_not_later(tmp_path):
    late = [*RIGHT[:4], RIGHT[6], *RIGHT[4:6]]
    comparisons, _ = compare(written(tmp_path, *late), GOLDEN)
    assert comparisons[1].mismatches == 2


def test_a_tensor_that_layers_write_in_parts_is_judged_when_the_last_one_ends(tmp_path):
    golden = {"a": np.array([[[[1], [2]]]])}
    parts = [record("w", 10, 0, 0, 1), record("l", 11, 0, 7), record("w", 12, 0, 1, 2), record("l", 15, 1, 8)]
    comparisons, problems = compare(written(tmp_path, *parts), golden, tensors=["a", "a"])
    assert problems == []
    assert [(c.compared, c.mismatches, c.cycles) for c in comparisons] == [(0, 0, [7]), (2, 0, [8])]


def test_a_missing_layer_is_a_problem(tmp_path):
    _, problems = compare(written(tmp_path, *RIGHT[:3]), GOLDEN)
    assert problems == ["layer second: ended 0 times in 1 images"]


@pytest.mark.parametrize(
    ("bank", "address"), [(0, 2), (0, 6), (1, 0)], ids=["another-tensor", "beyond-depth", "beyond-banks"]
)
def test_a_write_that_belongs_to_nothing_is_a_problem(tmp_path, bank, address):
    _, problems = compare(written(tmp_path, record("w", 9, bank, address, 1), *RIGHT), GOLDEN)
    assert problems == [
        "layer first: 1 writes of words that are neither its tensor's nor the input's, "
        f"the first in cycle 9 to bank {bank}, address {address}"
    ]


def test_the_input_may_be_written_while_any_layer_runs(tmp_path):
    _, problems = compare(
        written(tmp_path, record("w", 9, 0, 4, 1), *RIGHT[:4], record("w", 12, 0, 5, 1), *RIGHT[4:]), GOLDEN
    )
    assert problems == []


def test_outputs_are_signed_and_last_closes_an_image():
    golden = np.array([[[[-1, 2]]], [[[-3, 4]]]])
    beats = [[0xF, 1], [0x12, 2], [0xD, 3], [0x14, 4]]
    comparison = Comparison()
    assert compare_outputs(beats, golden, layer="out", value_bits=4, comparison=comparison) == []
    assert (comparison.compared, comparison.mismatches) == (4, 0)
    beats[0][0] |= 0x10
    problems = compare_outputs(beats, golden, layer="out", value_bits=4, comparison=Comparison())
    assert problems == ["output of image 0: last is set on beats [0, 1], not on 1 alone"]
