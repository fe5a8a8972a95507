from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rowloom
from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.place import place

LAYERS = 8
TENSORS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, LAYERS), st.integers(0, LAYERS)), min_size=1, max_size=10
)


def disjoint(buffers):
    return all(
        a.base + a.depth <= b.base or b.base + b.depth <= a.base or a.last < b.first or b.last < a.first
        for a, b in combinations(buffers, 2)
    )


def given_tensors(tensors):
    depths = {f"t{i}": depth for i, (depth, *_) in enumerate(tensors)}
    return depths, {f"t{i}": (min(life), max(life)) for i, (_, *life) in enumerate(tensors)}


@given(TENSORS)
def test_tensors_that_live_together_do_not_overlap(tensors):
    depths, lives = given_tensors(tensors)
    placed = place(depths, lives)
    assert {name: (each.depth, (each.first, each.last)) for name, each in placed.items()} == {
        name: (depths[name], lives[name]) for name in depths
    }
    assert disjoint(placed.values())


@given(TENSORS)
def test_every_tensor_is_at_the_bottom_or_right_above_one_that_lives_with_it(tensors):
    placed = place(*given_tensors(tensors)).values()
    for each in placed:
        ends = [b.base + b.depth for b in placed if b is not each and b.first <= each.last and each.first <= b.last]
        assert each.base in (0, *ends)


def test_a_gap_is_used_if_it_is_large_enough():
    lives = {"a": (0, 9), "b": (0, 1), "c": (0, 9), "d": (2, 3), "e": (2, 3)}
    depths = {"a": 4, "b": 6, "c": 2, "d": 6, "e": 1}
    placed = place(depths, lives)
    assert {name: each.base for name, each in placed.items()} == {"a": 0, "b": 4, "c": 10, "d": 4, "e": 12}


def test_the_largest_goes_first_where_that_takes_less():
    depths, lives = {"a": 1, "b": 2, "c": 3}, {"a": (0, 1), "b": (1, 2), "c": (2, 3)}
    assert max(each.base + each.depth for each in place(depths, lives).values()) == 5


@pytest.mark.parametrize("name", ["cnv-w1a1", "resnet20", "shufflenet-unit", "squeezenet-fire", "ds-cnn"])
def test_maps_of_real_networks_lie_in_their_buffers(name):
    design = rowloom.compile(rowloom.load(name), ArrayConfig(rows=6, cols=4, lanes=16, planes="never"))
    assert disjoint(design.buffers)
    for tensor, layout in design.layouts.items():
        beside = layout.pixel_words - layout.words * layout.word_planes  # words of other maps behind its last pixel's
        last = layout.base + layout.depth - beside - 1
        assert any(b.base <= layout.base and last < b.base + b.depth for b in design.buffers), tensor
    assert max(design.live_words) <= design.hardware.bank_depth
