import numpy as np
import pytest

from rowloom.hw.mapping.regions import regions_of
from rowloom.model.layers import AveragePool2d, MaxPool2d


def pool(kernel, stride, padding, **fields):
    return AveragePool2d(name="p", input="a", output="b", kernel=kernel, stride=stride, padding=padding, **fields)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "shape", "count"),
    [
        ((3, 3), (1, 1), (1, 1, 1, 1), (6, 7, 2), 9),
        ((2, 2), (2, 2), (0, 1, 0, 1), (7, 7, 2), 4),
        ((3, 2), (2, 1), (2, 2, 0, 1), (8, 5, 2), 6),
        ((5, 5), (1, 1), (2, 2, 2, 2), (4, 4, 1), 16),
        ((5, 1), (3, 1), (4, 4, 0, 0), (11, 4, 1), 4),
    ],
)
def test_parts_tile_the_map_and_weigh_what_their_windows_hold(kernel, stride, padding, shape, count):
    """Each region, computed as it says, gives the sums of windows without padding, brought to one scale."""
    layer = pool(kernel, stride, padding)
    height, width, _ = layer.output_shape(shape)
    codes = np.random.default_rng(0).integers(1, 99, shape[:2])
    inside = np.pad(np.ones_like(codes), (padding[:2], padding[2:]))
    padded = np.pad(codes, (padding[:2], padding[2:]))
    scale = layer.scale(shape)
    regions = regions_of(layer, shape)
    assert len(regions) == count
    found = np.full((height, width), -1)
    for region in regions:
        for e, f in np.ndindex(region.height, region.width):
            y, x = region.y + e * stride[0], region.x + f * stride[1]
            window = codes[y : y + region.rows, x : x + region.taps]
            assert window.shape == (region.rows, region.taps)
            assert y >= 0
            assert x >= 0
            assert found[region.row + e, region.column + f] == -1
            found[region.row + e, region.column + f] = region.factor * window.sum()
    for e, f in np.ndindex(height, width):
        y, x = e * stride[0], f * stride[1]
        window, taps = (each[y : y + kernel[0], x : x + kernel[1]] for each in (padded, inside))
        assert found[e, f] * taps.sum() == window.sum() * scale


@pytest.mark.parametrize(
    "layer",
    [
        pool((3, 3), (1, 1), (1, 1, 1, 1), count_include_pad=True),
        pool((3, 3), (3, 3), (0, 0, 0, 0)),
        MaxPool2d(name="p", input="a", output="b", kernel=(3, 3), padding=(1, 1, 1, 1)),
    ],
    ids=["padding-counts", "no-padding", "greatest"],
)
def test_other_layers_have_no_parts(layer):
    assert regions_of(layer, (6, 6, 2)) == []


def test_a_part_says_where_it_is():
    first, *_ = regions_of(pool((3, 3), (1, 1), (1, 1, 1, 1)), (6, 7, 2))
    assert str(first) == "[0:1, 0:1]"
