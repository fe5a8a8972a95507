import itertools

import pytest
from amaranth import Module
from amaranth.hdl import Fragment

from rowloom.hw.units.pair import MultiplierPair
from tests.hw.cycles import trace

RANGES = [(0, 1), (0, 3), (-2, 1), (-4, 3), (-3, 12), (0, 6)]


class Platform:
    """Gives what it is told to, and remembers for what."""

    def __init__(self, gives):
        self.gives, self.asked = gives, []

    def get_multiplier_pair(self, pair):
        self.asked.append(pair)
        return self.gives


@pytest.mark.parametrize(("first", "second"), list(itertools.product(RANGES, repeat=2)))
def test_multiplies_every_pair_of_values(first, second):
    """Both products, each word in its own cycles; the second lane takes the words the other way round."""
    pair = MultiplierPair(first=first, second=second)
    words = list(itertools.product(*(range(low, high + 1) for low, high in (first, second))))
    turned = words[::-1]
    inputs = [
        {"first_0": a, "second_0": b, "first_1": c, "second_1": d} for (a, b), (c, d) in zip(words, turned, strict=True)
    ]
    seen = trace(pair, inputs, ["product_0", "product_1"], extra=pair.stages)[pair.stages :]
    assert [cycle["product_0"] for cycle in seen] == [a * b for a, b in words]
    assert [cycle["product_1"] for cycle in seen] == [a * b for a, b in turned]


def test_a_platform_gives_the_gates():
    given, pair = Module(), MultiplierPair(first=(0, 255), second=(-128, 127))
    platform = Platform(given)
    assert pair.elaborate(platform) is given
    assert platform.asked == [pair]
    for each in (given, pair):
        Fragment.get(each, None)


def test_a_platform_may_leave_it_to_the_gates_for_any_device():
    pair = MultiplierPair(first=(0, 255), second=(-128, 127))
    platform = Platform(None)
    made = pair.elaborate(platform)
    assert isinstance(made, Module)
    assert platform.asked == [pair]
    Fragment.get(made, None)
    Fragment.get(pair, None)
