import numpy as np
import pytest

from rowloom.hw.contents import GO, HEADER_BITS, HEADER_FIELDS, header, load_beats, memory_groups
from rowloom.hw.design import Images
from rowloom.hw.parameters import SkipParameters
from tests.hw.machines import array_parameters, hardware


def machine(**changed):
    """Two arrays, tables of two bits, bit planes, and words that are left out."""
    arrays = (array_parameters(weight_depth=3), array_parameters(rows=2, stacked=True, weight_depth=2))
    given = {
        "arrays": arrays, "levels": 2, "threshold_depth": 4, "plane_pairs": 2, "load_bits": 8, "sum_bits": 12,
        "skips": SkipParameters(depth=5, a_bits=3, x_bits=2, y_bits=1),
    }  # fmt: skip
    return hardware(**given | changed)


def contents(hw, seed=0):
    """Random words for every memory, some of them not full."""
    rng = np.random.default_rng(seed)

    def words(width, depth):
        return tuple(int(n) for n in rng.integers(0, 1 << width, depth))

    by_name = {
        group.name: tuple(words(group.width, max(1, group.depth - 1)) for _ in range(group.members))
        for group in memory_groups(hw)
    }
    levels = [by_name[f"thresholds_{level}"] for level in range(hw.levels)]
    return by_name, Images(
        program=by_name["program"][0],
        weights=tuple(by_name[f"weights_{a}"] for a in range(len(hw.arrays))),
        thresholds=tuple(zip(*levels, strict=True)),
        pairs=by_name["pairs"][0],
        skips=by_name["skips"][0],
    )


def read_back(beats, hw):
    """Contents of every memory by name, and whether ``GO`` ends the beats: a second reading of the format."""
    bits, groups = hw.load_bits, memory_groups(hw)
    found = {group.name: [{} for _ in range(group.members)] for group in groups}
    beats = list(beats)

    def take(width):
        count = -(-width // bits)
        return sum(beats.pop(0) << (bits * i) for i in range(count))

    while beats:
        head, fields = take(HEADER_BITS), {}
        for name, width in HEADER_FIELDS.items():
            fields[name], head = head & ((1 << width) - 1), head >> width
        if fields["memory"] == GO:
            return found, not beats
        group = groups[fields["memory"]]
        for address in range(fields["address"], fields["address"] + fields["count"]):
            for member in found[group.name]:
                member[address] = take(group.width)
    return found, False


@pytest.mark.parametrize("load_bits", [8, 16, 32, 64])
def test_beats_hold_every_word(load_bits):
    hw = machine(load_bits=load_bits)
    by_name, images = contents(hw)
    found, ended = read_back(load_beats(hw, images), hw)
    assert ended
    assert found == {name: [dict(enumerate(words)) for words in members] for name, members in by_name.items()}


def test_memories_without_words_have_no_section():
    hw = machine()
    _, images = contents(hw)
    bare = Images(program=images.program, weights=(((),) * 6, ((),) * 2), thresholds=images.thresholds)
    found, ended = read_back(load_beats(hw, bare), hw)
    assert ended
    assert not any(found["weights_0"] + found["weights_1"] + found["pairs"] + found["skips"])


def test_header_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"^count must fit in 24 bits, not 16777216$"):
        header(memory=1, count=1 << 24)
