import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.squares import square_of
from rowloom.model.evaluate.rearrange import depth_to_space
from rowloom.model.layers import DepthToSpace

CONFIG = ArrayConfig(rows=6, cols=2, lanes=8, drains=2)


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize(("block", "channels"), [(2, 1), (3, 5), (2, 8), (2, 11), (1, 3)])
def test_filters_in_the_order_of_their_places_are_the_pixels_of_a_square(block, channels, mode, leaves):
    layer = DepthToSpace(name="squares", input="a", output="b", block=block, mode=mode)
    square = square_of(layer, (4, 5, block**2 * channels), CONFIG, leaves=leaves)
    pixel = np.arange(1, block**2 * channels + 1)
    placed = np.zeros((block**2, square.emissions * CONFIG.drains), int)
    placed.reshape(-1)[square.places] = pixel
    want = depth_to_space(layer, pixel.reshape(1, 1, 1, -1)).reshape(block**2, channels)
    assert np.array_equal(placed[:, :channels], want)
    assert not placed[:, channels:].any()
    assert (square.side, square.channels) == (block, channels)


@pytest.mark.parametrize(
    ("channels", "leaves", "emissions", "word"),
    [(1, False, 1, 1), (3, False, 2, 2), (8, False, 4, 4), (9, False, 8, 4), (9, True, 5, 4)],
)
def test_pixels_of_few_channels_take_few_emissions(channels, leaves, emissions, word):
    """A pixel that needs several words takes whole ones, except in what leaves."""
    layer = DepthToSpace(name="squares", input="a", output="b", block=2)
    square = square_of(layer, (4, 5, 4 * channels), CONFIG, leaves=leaves)
    assert (square.emissions, square.word_emissions) == (emissions, word)
