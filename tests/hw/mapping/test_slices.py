"""Convolutions that are split into their groups."""

import numpy as np

from rowloom.hw.mapping.slices import Slice, split
from rowloom.model.encodings import Ternary, Uniform
from rowloom.model.layers import Concat, Conv2d
from rowloom.model.network import Network
from tests.hw.graphs import Graph

NARROW = Uniform(bits=2, signed=False)


def test_groups_compute_their_part_of_the_layer():
    g = Graph((5, 6, 4), NARROW, weights=Ternary(), seed=3)
    g.dense(g.conv(g.conv("input", 9), 12, (2, 3), groups=3), 5, raw=True)
    network = g.network()
    pieces = split(network, ("conv2d1",))
    assert [type(layer) for layer in pieces.network.layers[1:8]] == [Slice, Conv2d] * 3 + [Concat]
    assert pieces.network.macs() == network.macs()
    maps = network.run(np.random.default_rng(0).integers(0, 4, (5, 5, 6, 4)), keep="all")
    for group, (name, part) in enumerate(pieces.parts.items()):
        view, layer = pieces.network.layers[1 + 2 * group : 3 + 2 * group]
        assert (layer.input, layer.output, part.whole) == (view.output, name, "conv2d1")
        alone = Network(
            name="alone", tensors=tuple(pieces.network.tensor(name) for name in (layer.input, name)), layers=(layer,),
            input=layer.input, outputs=(name,),
        )  # fmt: skip
        mine = alone.run(maps["conv2d0"][..., view.first : view.first + view.count])
        assert np.array_equal(mine, maps["conv2d1"][..., part.first : part.stop])
        assert (view.first, view.count, part.first, part.stop) == (3 * group, 3, 4 * group, 4 * group + 4)
