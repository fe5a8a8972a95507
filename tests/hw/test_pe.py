import numpy as np
import pytest

from rowloom.hw.pe import ProcessingElement
from rowloom.model.encodings import Ternary, Uniform
from tests.hw.cycles import trace
from tests.hw.machines import array_parameters
from tests.hw.units.words import codes_of, pack

SIGN = {"unit": "sign", "activations": Uniform(bits=3, signed=False), "sum_bits": 10}
TERNARY = {
    "unit": "ternary", "weights": Ternary(), "activations": Uniform(bits=3, signed=True), "sum_bits": 9
}  # fmt: skip


@pytest.mark.parametrize(
    "unit",
    [{}, {"half": True, "sum_bits": 9}, SIGN, TERNARY, {"planes": True, "sum_bits": 11}],
    ids=["xnor", "xnor-half", "sign", "ternary", "planes"],
)
def test_accumulates_captures_and_hands_down(unit):
    """Against integers, over random accumulations that follow each other at once or after idle cycles.

    Only an accumulator for planes doubles.
    """
    rng = np.random.default_rng(3)
    element = ProcessingElement(parameters=array_parameters(**unit), products=5)
    spec, latency = element.unit.spec, element.unit.latency
    bits = spec.activations.bits
    inputs, finished = [], {}
    for _ in range(60):
        total = 0
        length = int(rng.integers(1, 6))
        for step in range(length):
            while rng.random() < 0.2:  # nothing to add, while the inputs move on
                inputs.append({"activations": int(rng.integers(1 << 5 * bits)), "live": 1})
            codes, weights = (rng.choice(codes_of(each), 5) for each in (spec.activations, spec.weights))
            double = int(step > 0 and rng.random() < 0.5)
            inputs.append({
                "activations": pack(codes, bits),
                "weights": pack(weights, spec.weights.bits),
                "live": 1, "accumulate": 1, "capture": int(step == length - 1), "double": double,
            })  # fmt: skip
            products = spec.activations.decode(codes) * spec.weights.decode(weights)
            total <<= int(double and element.parameters.planes)
            total += int(products.sum() + spec.offset(weights, np.int64(0))) >> spec.shift
        finished[len(inputs) - 1] = total
    # Tokens come with the unit's sum, a latency after its word.
    tokens = [{name: given.pop(name, 0) for name in ("accumulate", "capture", "double")} for given in inputs]
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
