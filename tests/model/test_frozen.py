import numpy as np
import pytest

from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers


def test_copy_is_read_only_and_apart_from_its_source():
    source = np.array([1, 2, 3])
    copy = frozen_integers(source, dtype=np.int8, ndim=1, subject="x")
    source[0] = 9
    assert copy.tolist() == [1, 2, 3]
    assert copy.dtype == np.int8
    with pytest.raises(ValueError, match="read-only"):
        copy[0] = 5


@pytest.mark.parametrize(
    ("values", "ndim", "message"),
    [
        ([1.5], 1, r"^x: must be integers, not float64$"),
        ([[1]], 1, r"^x: must have 1 axes, not 2$"),
        ([128], 1, r"^x: holds 128 to 128, must be in -128 to 127$"),
    ],
)
def test_refuses(values, ndim, message):
    with pytest.raises(RowloomError, match=message):
        frozen_integers(values, dtype=np.int8, ndim=ndim, subject="x")
