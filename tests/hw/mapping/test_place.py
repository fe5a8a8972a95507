from hypothesis import given
from hypothesis import strategies as st

from rowloom.hw.mapping.place import place

LAYERS = 8
TENSORS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, LAYERS), st.integers(0, LAYERS)), min_size=1, max_size=10
)


@given(TENSORS)
def test_tensors_that_live_together_do_not_overlap(tensors):
    depths = {f"t{i}": depth for i, (depth, *_) in enumerate(tensors)}
    lives = {f"t{i}": (min(life), max(life)) for i, (_, *life) in enumerate(tensors)}
    bases = place(depths, lives, list(depths))
    assert set(bases) == set(depths)
    assert min(bases.values()) == 0
    for a in depths:
        for b in depths:
            together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
            if a != b and together:
                assert bases[a] + depths[a] <= bases[b] or bases[b] + depths[b] <= bases[a]


@given(TENSORS)
def test_no_tensor_could_lie_lower(tensors):
    """In the order of placement, each is at 0 or right above one that lives with it."""
    depths = {f"t{i}": depth for i, (depth, *_) in enumerate(tensors)}
    lives = {f"t{i}": (min(life), max(life)) for i, (_, *life) in enumerate(tensors)}
    bases = place(depths, lives, list(depths))
    for name, base in bases.items():
        assert base == 0 or any(base == bases[other] + depths[other] for other in bases if other != name)


def test_a_gap_is_used_if_it_is_large_enough():
    lives = {"a": (0, 9), "b": (0, 1), "c": (0, 9), "d": (2, 3), "e": (2, 3)}
    depths = {"a": 4, "b": 6, "c": 2, "d": 6, "e": 1}
    assert place(depths, lives, list(depths)) == {"a": 0, "b": 4, "c": 10, "d": 4, "e": 12}
