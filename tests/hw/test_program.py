import numpy as np
import pytest

from rowloom.hw.program import RECORD_WORD_BITS, input_fields, layer_fields, pack, record_words
from tests.hw.machines import SIGNED, hardware, unpack


@pytest.mark.parametrize("fields", [layer_fields(hardware()), input_fields(hardware())], ids=["layer", "input"])
def test_what_is_packed_can_be_unpacked(fields):
    rng = np.random.default_rng(0)
    for extreme in (0, -1, None):
        values = {}
        for name, width in fields.items():
            low = -(1 << (width - 1)) if name in SIGNED else 0
            high = (1 << (width - 1)) - 1 if name in SIGNED else (1 << width) - 1
            values[name] = {0: low, -1: high, None: int(rng.integers(low, high + 1))}[extreme]
        words = pack(fields, values)
        assert len(words) == record_words(fields)
        assert all(0 <= word < 1 << RECORD_WORD_BITS for word in words)
        assert unpack(fields, words) == values


@pytest.mark.parametrize(("name", "value"), [("taps", 256), ("taps", -1), ("sum_rows", 2), ("x_first", -257)])
def test_a_value_that_does_not_fit_is_refused(name, value):
    fields = layer_fields(hardware())
    with pytest.raises(ValueError, match=rf"^{name} must fit in {fields[name]} bits, not {value}$"):
        pack(fields, dict.fromkeys(fields, 0) | {name: value})


def test_a_record_has_all_its_fields_and_no_others():
    fields = {"one": 3, "two": 1}
    with pytest.raises(ValueError, match=r"^record must have the fields \['one', 'two'\], not \['one'\]$"):
        pack(fields, {"one": 1})
    with pytest.raises(ValueError, match=r"^record must have the fields"):
        pack(fields, {"one": 1, "two": 0, "three": 0})
