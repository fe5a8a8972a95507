import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.hw.mapping.cycles import load_cycles
from tests.hw.networks import Conv, Dense, Pool, make_network

LONG = [Conv(filters=9, padding=(1, 1, 1, 1)), Pool(), Conv(filters=24, padding=(1, 1, 1, 1)), Dense(filters=10)]


def design(specs=LONG, **options):
    return compile_network(make_network(specs, shape=(12, 10, 1)), ArrayConfig(rows=3, cols=2, lanes=8, **options))


def test_an_image_is_its_layers_and_a_cycle_if_the_next_is_there():
    plans = design().layers
    assert sum(plan.cycles for plan in plans[1:]) > load_cycles(design().layout("input"))
    assert design().cycles == sum(plan.cycles for plan in plans) + 1


def test_loading_shows_where_nothing_hides_it():
    """Without prefetch the memory is free when the last layer is done; then comes the image."""
    alone = design(prefetch=False)
    assert alone.cycles == sum(plan.cycles for plan in alone.layers) + load_cycles(alone.layout("input")) + 2


@pytest.mark.parametrize(
    ("specs", "options", "hidden"),
    [
        (LONG, {}, True),
        (LONG, {"prefetch": False}, False),
        ([Conv(filters=9)], {}, False),
        ([Conv(filters=2, kernel=(1, 1)), Conv(filters=40, kernel=(1, 1))], {}, False),
    ],
    ids=["long", "no-prefetch", "one-layer", "many-results"],
)
def test_streams_hide_behind_layers(specs, options, hidden):
    assert design(specs, **options).hides_streams is hidden


def test_utilization_is_against_the_peak():
    made = design()
    assert made.utilization == made.macs / (made.cycles * made.config.peak)
    for plan in made.layers:
        assert plan.utilization == (plan.macs / (plan.cycles * plan.peak) if plan.peak else 0.0)
        assert plan.utilization <= 1


def test_a_tensor_that_never_lies_in_the_banks_has_no_layout():
    with pytest.raises(KeyError):
        design().layout("dense3")
