import pytest

from rowloom.hw import DEFAULT, ArrayConfig
from rowloom.model.errors import RowloomError


@pytest.mark.parametrize("name", ["rows", "cols", "lanes"])
@pytest.mark.parametrize("value", [0, -3, 2.0, True, "4", None])
def test_sizes_are_positive_integers(name, value):
    given = {"rows": 4, "cols": 2, "lanes": 8} | {name: value}
    with pytest.raises(RowloomError, match=rf"^{name}: must be a positive integer, not {value!r}$"):
        ArrayConfig(**given)


@pytest.mark.parametrize("name", ["group", "drains", "input_lanes"])
def test_optional_sizes_are_positive_too(name):
    with pytest.raises(RowloomError, match=rf"^{name}: must be a positive integer, not -1$"):
        ArrayConfig(rows=4, cols=2, lanes=8, **{name: -1})


def test_a_group_is_at_most_the_rows():
    with pytest.raises(RowloomError, match=r"^group: must be at most rows \(4\), not 5$"):
        ArrayConfig(rows=4, cols=2, lanes=8, group=5)


@pytest.mark.parametrize(("rows", "lanes", "drains"), [(6, 8, 3), (4, 9, 2), (4, 8, 8)])
def test_drains_divide_rows_and_lanes(rows, lanes, drains):
    with pytest.raises(
        RowloomError, match=rf"^drains: must divide rows \({rows}\) and lanes \({lanes}\), not {drains}$"
    ):
        ArrayConfig(rows=rows, cols=1, lanes=lanes, drains=drains)


@pytest.mark.parametrize(
    ("rows", "lanes", "drains"), [(12, 32, 4), (12, 9, 3), (24, 32, 8), (1, 8, 1), (4, 4, 1), (6, 6, 2), (5, 7, 1)]
)
def test_default_drains_leave_three_rows_a_chain(rows, lanes, drains):
    config = ArrayConfig(rows=rows, cols=1, lanes=lanes)
    assert config.drains == drains
    assert config.chain == rows // drains


@pytest.mark.parametrize("vector_drains", [3, 12, 2, -4])
def test_vector_drains_are_a_multiple_of_drains_and_divide_lanes(vector_drains):
    rule = r"must be a multiple of drains \(4\) and divide lanes \(32\)" if vector_drains > 0 else "must be a positive"
    with pytest.raises(RowloomError, match=rf"^vector_drains: {rule}.*, not {vector_drains}$"):
        ArrayConfig(rows=12, cols=1, lanes=32, vector_drains=vector_drains)
    assert ArrayConfig(rows=12, cols=1, lanes=32, vector_drains=16).drains == 4


def test_the_other_defaults():
    assert DEFAULT.peak == DEFAULT.rows * DEFAULT.cols * DEFAULT.lanes
    assert (DEFAULT.group, DEFAULT.input_lanes) == (3, 4)
    small = ArrayConfig(rows=2, cols=1, lanes=4)
    assert (small.group, small.input_lanes) == (2, 1)
    assert ArrayConfig(**small.to_json()) == small


@pytest.mark.parametrize("changed", [{}, {"load_bits": 8, "weight_stream": 8, "weight_depth": 99}])
def test_one_port_is_for_weights_that_are_loaded_once(changed):
    with pytest.raises(RowloomError, match=r"^single_port: needs load_bits, and no weight_stream$"):
        ArrayConfig(rows=2, cols=1, lanes=4, single_port=True, **changed)
