import pytest

from rowloom.model.errors import CheckFailed, DoesNotFit, RowloomError, ToolMissing


def test_text_is_one_line_with_and_without_a_remedy():
    assert str(RowloomError("x.npy", "is empty")) == "x.npy: is empty"
    assert str(RowloomError("x.npy", "is empty", "must hold images")) == "x.npy: is empty, must hold images"


@pytest.mark.parametrize(("kind", "status"), [(RowloomError, 2), (ToolMissing, 2), (DoesNotFit, 1), (CheckFailed, 1)])
def test_exit_status_by_kind(kind, status):
    error = kind("a", "b")
    assert error.exit_status == status
    assert isinstance(error, ValueError)
