import numpy as np
import pytest

from rowloom.hw.pe import ProcessingElement
from tests.hw.cycles import trace
from tests.hw.machines import array_parameters

SIGN = {"unit": "sign", "activation_bits": 3, "sum_bits": 10}


@pytest.mark.parametrize("unit", [{}, {"half": True, "sum_bits": 9}, SIGN], ids=["xnor", "xnor-half", "sign"])
def test_accumulates_captures_and_hands_down(unit):
    """Against integers, over random accumulations that follow each other at once or after idle cycles."""
    rng = np.random.default_rng(3)
    element = ProcessingElement(parameters=array_parameters(**unit), products=5)
    spec, latency = element.unit.SPEC, element.unit.latency
    bits = element.parameters.activation_bits
    half = element.parameters.half
    shift = 0 if half else spec.SHIFT
    inputs, finished = [], {}
    for _ in range(60):
        total = 0
        length = int(rng.integers(1, 6))
        for step in range(length):
            while rng.random() < 0.2:  # nothing to add, while the inputs move on
                inputs.append({"activations": int(rng.integers(1 << 5 * bits)), "live": 1})
            codes, weights = rng.integers(0, 1 << bits, 5), rng.integers(0, 2, 5)
            inputs.append({
                "activations": int(sum(int(c) << (i * bits) for i, c in enumerate(codes))),
                "weights": int(sum(int(w) << i for i, w in enumerate(weights))),
                "live": 1, "accumulate": 1, "capture": int(step == length - 1),
            })  # fmt: skip
            values = codes if unit is SIGN else 2 * codes - 1
            offset = int(spec.offset(weights[None], np.int64(0), half=half)[0])
            total += int((values * (2 * weights - 1)).sum() + offset) >> shift
        finished[len(inputs) - 1] = total
    # Tokens come with the unit's sum, a latency after its word.
    tokens = [{name: given.pop(name, 0) for name in ("accumulate", "capture")} for given in inputs]
    inputs += [{} for _ in range(latency)]
    for given, token in zip(inputs, [{}] * latency + tokens, strict=True):
        given |= token
    seen = trace(element, inputs, ["sum"], extra=1)
    for at, total in finished.items():
        assert seen[at + latency + 1]["sum"] == total
    assert len(set(finished.values())) > 4


def test_shift_takes_the_next_row_unless_a_sum_is_captured():
    element = ProcessingElement(parameters=array_parameters(), products=5)
    latency = element.unit.latency
    word = {"activations": 31, "weights": 31, "live": 1}
    inputs = [word] * latency
    inputs += [{"shift": 1, "next_sum": 77}, {"next_sum": 55}]
    inputs += [{"shift": 1, "next_sum": 99, "accumulate": 1, "capture": 1}, {}]
    inputs = [word | given for given in inputs]
    seen = [cycle["sum"] for cycle in trace(element, inputs, ["sum"])]
    assert seen[latency + 1 :] == [77, 77, 5]
