import numpy as np
import pytest

from rowloom.model.encodings import Binary, Ternary
from rowloom.model.layers import Conv2d, Linear, MaxPool2d
from rowloom.model.repetition import distinct_kernels


def conv(weights, encoding=None):
    return Conv2d(name="c", input="a", output="b", weights=weights, weight_encoding=encoding or Binary())


def test_every_kernel_once():
    # All 16 kernels of 2 x 2, over 2 filters and 8 channels.
    weights = (np.arange(16)[:, None] >> np.arange(4) & 1).reshape(2, 8, 2, 2).transpose(0, 2, 3, 1)
    assert distinct_kernels(conv(weights)) == 1


@pytest.mark.parametrize(("kernel", "filters", "channels"), [(3, 4, 5), (5, 2, 3), (1, 9, 1)])
def test_counts_patterns_of_single_channels(kernel, filters, channels):
    rng = np.random.default_rng(kernel)
    weights = rng.integers(0, 2, (filters, kernel, kernel, channels))
    weights[0, :, :, 0] = weights[-1, :, :, -1]
    patterns = {weights[m, :, :, c].tobytes() for m in range(filters) for c in range(channels)}
    assert distinct_kernels(conv(weights)) == len(patterns) / (filters * channels)


def test_other_layers_have_none():
    assert distinct_kernels(conv(np.zeros((2, 3, 3, 4), int), Ternary())) is None
    assert distinct_kernels(MaxPool2d(name="p", input="a", output="b", kernel=(2, 2))) is None
    weights = np.zeros((2, 3, 3, 4), int)
    assert distinct_kernels(Linear(name="l", input="a", output="b", weights=weights, weight_encoding=Binary())) is None
