import numpy as np
import pytest

from rowloom.model.errors import RowloomError
from rowloom.model.softmax import IntegerSoftmax, softmax
from rowloom.model.views import Arrangement, InputView, OutputView


def test_arrangements_are_inverse():
    nchw = Arrangement(shape=(3, 4, 5), sizes=(3, 4, 5), order=(1, 2, 0))
    x = np.arange(120).reshape(2, 3, 4, 5)
    y = nchw.to_map(x, (4, 5, 3))
    assert np.array_equal(y, x.transpose(0, 2, 3, 1))
    assert np.array_equal(nchw.from_map(y), x)
    flat = Arrangement(shape=(60,), sizes=(3, 4, 5), order=(1, 2, 0))
    assert np.array_equal(flat.from_map(y), x.reshape(2, 60))


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": (6,), "sizes": (2, 2), "order": (0, 1)},
        {"shape": (4,), "sizes": (2, 2), "order": (0, 0)},
        {"shape": (4,), "sizes": (2, 2), "order": (0, 1.0)},
    ],
)
def test_arrangements_that_are_none(fields):
    with pytest.raises(RowloomError, match=r"^arrangement: "):
        Arrangement(**fields)


def test_floats_become_codes_by_channel():
    view = InputView(arrangement=Arrangement.maps(1, 1, 2), thresholds=np.array([[0.0, 1.0], [-1.0, 5.0]]))
    x = np.array([[[[0.5, 0.5]]], [[[1.0, 5.0]]], [[[-0.5, -2.0]]]])
    assert view.codes(x, -1).reshape(3, 2).tolist() == [[0, 0], [1, 1], [-1, -1]]


def test_thresholds_must_ascend():
    with pytest.raises(RowloomError, match=r"^input view: thresholds must be"):
        InputView(arrangement=Arrangement.maps(1, 1, 1), thresholds=np.array([1.0, 0.0]))


def test_steps_run_in_order():
    view = OutputView(
        name="y",
        tensor="t",
        arrangement=Arrangement.maps(1, 1, 3),
        scale=np.array([0.5]),
        offset=np.array([0.0, 1.0, -9.0]),
        steps=("relu", "softmax"),
    )
    values = np.array([[[[2, -4, 6]]]])
    want = softmax(np.array([1.0, 0.0, 0.0]))
    assert view.real(values, values).reshape(3) == pytest.approx(want, rel=1e-6)
    with pytest.raises(RowloomError, match=r"^y: has no step 'dance', must be relu or "):
        OutputView(name="y", tensor="t", arrangement=Arrangement.maps(1, 1, 3), steps=("dance",))


def test_integer_softmax_is_near_the_real_one():
    """Input scale 0.25: 0.25 * 2^26 = 2^30 * 2^(25 - 31)."""
    integer = IntegerSoftmax(multiplier=1 << 30, shift=25, least=-124)
    codes = np.random.default_rng(0).integers(-128, 128, (50, 10))
    assert np.abs((integer(codes).astype(int) + 128) / 256 - softmax(codes * 0.25)).max() < 1 / 128
