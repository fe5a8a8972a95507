import pytest

import rowloom
from rowloom.hw import ArrayConfig
from rowloom.hw.mapping.losses import Losses

NAMES = ("lanes", "rows", "columns", "drain", "fill", "skipped", "weights")


def compiled(name, **config):
    return rowloom.compile(rowloom.load(name), ArrayConfig(**config))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("cnv-w1a1", {"rows": 12, "cols": 2, "lanes": 32}),
        ("cnv-w2a2", {"rows": 12, "cols": 2, "lanes": 32, "planes": "always"}),
        ("ds-cnn", {"rows": 6, "cols": 5, "lanes": 16}),
        ("fashion-bnn", {"rows": 5, "cols": 3, "lanes": 7}),
        ("resnet20", {"rows": 6, "cols": 4, "lanes": 16}),
        ("fashion-ternary", {"rows": 2, "cols": 2, "lanes": 4}),
        ("shufflenet-unit", {"rows": 4, "cols": 3, "lanes": 8}),
    ],
)
def test_what_is_lost_and_what_is_used_make_one(name, config):
    design = compiled(name, **config)
    multiplying = [layer for layer in design.layers if layer.losses]
    assert multiplying
    for layer in multiplying:
        shares = layer.losses.to_json()
        assert tuple(shares) == NAMES
        assert min(share for name, share in shares.items() if name != "skipped") > -1e-12, layer.name
        assert (shares["skipped"] < 0) == (layer.skipped > 0)
        assert sum(shares.values()) + layer.utilization == pytest.approx(1), layer.name
    assert tuple(design.losses) == (*NAMES, "other")
    assert min(share for name, share in design.losses.items() if name != "skipped") > -1e-12
    assert sum(design.losses.values()) + design.utilization == pytest.approx(1)


def test_losses_of_a_network_whose_shapes_are_known():
    """CNV at 12 x 2 x 32: conv2 fits; conv5 has 3 rows of output for 2 columns; fc9 is over before it has begun."""
    plans = {layer.name: layer for layer in compiled("cnv-w1a1", rows=12, cols=2, lanes=32).layers}
    conv2, conv5, fc9 = (plans[name].losses for name in ("conv2", "conv5", "fc9"))
    assert (conv2.lanes, conv2.rows, conv2.columns, conv2.drain) == (0, 0, 0, 0)
    assert conv5.columns == pytest.approx(0.25 * (1 - conv5.fill))
    assert (conv5.greatest, fc9.greatest) == ("columns", "fill")
    assert plans["pool2"].losses is None


def test_idle_cycles_for_the_drain_are_told_apart():
    """One chain of 12 rows: 12 cycles for its sums, of which a dense layer of 3 words fills 3."""
    first = compiled("tfc-w1a1", rows=12, cols=1, lanes=32, drains=1)
    last = first.layers[-1]
    assert last.fold.accumulation < last.fold.steps
    assert isinstance(last.losses, Losses)
    many = next(layer for layer in first.layers if layer.fold.blocks > 1 and layer.fold.bubbles)
    assert many.losses.drain == pytest.approx((many.fold.blocks - 1) * many.fold.bubbles / many.cycles)
