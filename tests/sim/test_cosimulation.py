"""Co-simulation of the toy: what is right passes, and every kind of fault is seen."""

import json
import re

import numpy as np
import pytest

from rowloom.model.errors import CheckFailed, RowloomError
from rowloom.sim import simulate

pytestmark = pytest.mark.cocotb


@pytest.mark.parametrize("stalls", [False, True], ids=["", "stalls"])
def test_toy_agrees_with_golden_over_images_back_to_back(toy, images, stalls):
    result = simulate(toy(), images, stalls=stalls, seed=3)
    assert result.ok, result.summary()
    assert (result.images, result.compared, result.mismatches) == (5, 5 * (8 + 2), 0)
    assert [(layer.name, layer.cycles_measured, layer.compared) for layer in result.layers] == [
        ("invert", 4, 40),
        ("sum", 8, 10),
    ]
    if not stalls:
        assert result.cycles_per_image == 22
        assert result.utilization == pytest.approx(0.5)


def test_one_image_is_enough(toy, images):
    result = simulate(toy(), images[:1])
    assert result.ok
    assert result.cycles_per_image > 0


def test_equal_seeds_give_equal_stalls(toy, images):
    cycles = [simulate(toy(), images, stalls=True, seed=seed).cycles for seed in (1, 1, 2)]
    assert cycles[0] == cycles[1] != cycles[2]


def test_json_has_the_keys_that_other_programs_rely_on(toy, images):
    report = json.loads(json.dumps(simulate(toy(), images).to_json()))
    assert {"images", "compared", "mismatches", "cycles_per_image", "utilization", "layers", "seconds"} <= set(report)
    assert {"name", "cycles_predicted", "cycles_measured", "mismatches"} <= set(report["layers"][0])


def test_a_wrong_value_inside_is_located(toy, images):
    result = simulate(toy(fault=("^ 16'h5a5a", "^ (pixel == 3 ? 16'h5b5a : 16'h5a5a)")), images)
    assert not result.ok
    assert result.mismatches == 5
    want = int(images[0, 1, 1, 1]) ^ 0x5A
    assert str(result.first_mismatch) == (f"layer invert, image 0, y 1, x 1, channel 1: got {want ^ 1}, want {want}")


def test_one_flipped_expected_value_fails(toy, images):
    design = toy()
    for tensor in ("inverted", "sums"):
        expected = {name: codes.copy() for name, codes in design.network.run(images, keep="all").items()}
        expected[tensor][4, 0, 0, 1] ^= 1
        result = simulate(design, images, expected=expected)
        assert not result.ok
        assert result.mismatches == 1
        assert result.first_mismatch.image == 4


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (("{at == 1, value}", "{at == 0, value}"), "last is set on beats [0], not on 1 alone"),
        (("count == 7) begin state", "count == 6) begin state"), "layer sum: ended 0 times"),
        (("assign layer_cycles = count + 1", "assign layer_cycles = count + 2"), "takes 5 cycles, predicted are 4"),
        (("assign layer = state == SUM", "assign layer = 2"), "layer 2 ended, but there are only 2"),
    ],
    ids=["last", "layer-never-ends", "cycles", "unknown-layer"],
)
def test_other_faults_are_problems(toy, images, fault, problem):
    result = simulate(toy(fault=fault), images)
    assert not result.ok
    assert any(problem in line for line in result.problems), result.problems


def test_a_broken_output_stream_is_a_problem(toy, images):
    design = toy(
        changes=("{at == 1, value}", "{at == 1, value} ^ age"),
        surplus=("output__valid = state == ANSWER", "output__valid = state == ANSWER || (state == LOAD && age > 180)"),
        age=(
            "wire [15:0] value",
            "reg [7:0] age = 0; always @(posedge clk) age <= input__valid ? 0 : age + 1; wire [15:0] value",
        ),
    )
    problems = simulate(design, np.tile(images, (8, 1, 1, 1)), stalls=True).problems
    assert any("the payload changed" in problem for problem in problems), problems
    assert any("beats follow the last image" in problem for problem in problems), problems


def test_a_hang_is_caught_by_the_cycle_limit(toy, images, tmp_path):
    design = toy(
        declared=("reg [63:0] image = 0;", "reg [63:0] image = 0; wire stuck = image[63:56] == 66;"),
        not_ready=("input__ready = state == LOAD", "input__ready = state == LOAD && !stuck"),
        not_taken=("if (input__valid) begin", "if (input__valid && !stuck) begin"),
    )
    images[:] = np.arange(40).reshape(images.shape)
    images[2, 0, 0, 0] = 66  # after it, nothing is taken
    with pytest.raises(CheckFailed) as caught:
        simulate(design, images, workdir=tmp_path)
    assert re.fullmatch(
        r"co-simulation: no answer within [\d,]+ cycles: 17 input beats were taken and 4 came out, "
        r"the last layer that ended is sum, files are in \S+",
        str(caught.value),
    )
    assert (tmp_path / "trace.hex").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"simulator": "modelsim"}, r"^simulator: must be one of verilator, icarus, not 'modelsim'$"),
        ({"netlist": True}, r"^netlist: "),
        ({"x": np.zeros((1, 3, 2, 2), dtype=int)}, r"^images: must be of shape \(2, 2, 2\)"),
        ({"x": np.zeros((0, 2, 2, 2), dtype=int)}, r"^images: there must be at least one$"),
    ],
    ids=["simulator", "netlist", "shape", "none"],
)
def test_bad_requests_are_told_in_one_line(toy, images, options, message):
    with pytest.raises(RowloomError, match=message):
        simulate(toy(), **{"x": images, **options})


def test_progress_is_reported(toy, images):
    seen = []
    simulate(toy(), images, progress=lambda *step: seen.append(step))
    assert seen[0] == ("build", 0, 5)
    assert ("simulate", 5, 5) in seen
