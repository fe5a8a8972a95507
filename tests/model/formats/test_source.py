"""Files that are not what they should be: one line that names the file and, where there is one, the node."""

import copy
import re
import struct

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import rowloom
from rowloom.model.encodings import Binary, Ternary, Uniform
from rowloom.model.formats.source import import_file, parse_encoding, parse_scale
from tests.model.formats.graphs import Graph, written
from tests.model.formats.onnx.test_qonnx import CASES as QONNX
from tests.model.formats.onnx.test_qonnx import conv, start
from tests.model.formats.tflite.test_operators import CASES as TFLITE

QUIET = settings(
    max_examples=150,
    deadline=10_000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SEEDS = {
    "onnx": [
        QONNX[name]().SerializeToString() for name in ("branches", "multi_thresholds", "transposes", "truncation")
    ],
    "tflite": [TFLITE[name]() for name in ("conv-3-0-2", "add-1-0.05", "mean-0.02-3", "softmax-0.17")],
}


def refused(content, path, match, **options):
    if isinstance(content, onnx.ModelProto):
        content = content.SerializeToString()
    path.write_bytes(content)
    with pytest.raises(rowloom.RowloomError) as caught:
        import_file(path, **options)
    text = str(caught.value)
    assert re.search(match, text), text
    assert "\n" not in text


@st.composite
def mutated(draw, seeds):
    """A good file with some bytes changed, put in or left out, most often where its structure is."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 8))):
        place = draw(st.integers(0, len(content) - 1))
        how = draw(st.integers(0, 3))
        if how == 0:
            content[place] = draw(st.integers(0, 255))
        elif how == 1:
            del content[place : place + draw(st.integers(1, 8))]
        elif how == 2:
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        else:
            content[place : place + 4] = struct.pack("<I", draw(st.sampled_from([0, 2**31 - 1, 2**31, 2**32 - 1])))
        if len(content) < 16:
            break
    return bytes(content[: draw(st.integers(1, len(content)))]) if draw(st.integers(0, 9)) == 0 else bytes(content)


@pytest.mark.parametrize("kind", SEEDS)
def test_damaged_files_are_refused_in_one_line(kind, tmp_path):
    path = tmp_path / "damaged.bin"
    told = set()

    @QUIET
    @given(mutated(SEEDS[kind]))
    def check(content):
        path.write_bytes(content)
        try:
            net = import_file(path).network
        except rowloom.RowloomError as error:
            told.add("refused")
            lines.append(str(error))
        else:
            told.add("imported")
            assert net.layers

    lines = []
    check()
    assert not [line for line in lines if not line.startswith(str(path)) or "\n" in line]
    assert told == {"refused", "imported"}


@pytest.mark.parametrize("attribute", ["kernel_shape", "strides", "pads", "dilations", "group"])
@pytest.mark.parametrize("value", [0, -1, 1 << 20, 1 << 40, -(1 << 63)])
def test_absurd_attributes(attribute, value, tmp_path):
    g, x = start()
    model = g.model(g.quant(conv(g, x, 4, 3), 0.5))
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    kept = [a for a in node.attribute if a.name != attribute]
    length = {"pads": 4, "group": 0}.get(attribute, 2)
    if attribute == "pads" and value == 0:
        value = -5
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(attribute, [value] * length if length else value)])
    refused(model, tmp_path / "m.onnx", r"m\.onnx: node Conv_\d+ \(Conv\): ")


def test_a_claim_of_elements_that_are_not_there(tmp_path):
    g, x = start()
    model = g.model(g.quant(conv(g, x, 4, 3), 0.5))
    model.graph.initializer[4].dims[:] = [1 << 20, 1 << 20]
    refused(model, tmp_path / "m.onnx", r"claims 1048576x1048576 elements that are not in the file")


def test_a_constant_that_would_be_huge(tmp_path):
    g = Graph((1, 3, 8, 8))
    w = g.add("ConstantOfShape", g.constant([1 << 20, 1 << 20], np.int64))
    refused(g.model(g.add("MatMul", g.quant("x", 0.5), w)), tmp_path / "m.onnx", r"ConstantOfShape\): makes a constant")


def test_a_huge_map_is_only_a_number(tmp_path):
    g = Graph((1, 3, 1 << 20, 1 << 20))
    net = rowloom.from_qonnx(written(g.model(conv(g, g.quant("x", 0.5), 4, 3)), tmp_path / "m.onnx"))
    assert net.tensor("conv1").shape == (1 << 20, 1 << 20, 4)


def two(kind, **attributes):
    g, x = start()
    return g.model(conv(g, g.add(kind, x, **attributes), 2, 3))


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (lambda: two("Det"), r"node Det_2 \(Det\): operator is not supported, supported: Abs, Add, "),
        (lambda: two("Softmax", axis=1), r"node Conv_\d \(Conv\): comes after softmax, which the host computes"),
        (lambda: two("Foo", domain="com.acme"), r"\(Foo\): operator of domain com.acme is not supported"),
        (lambda: two("Transpose", perm=[0, 1]), r"\(Transpose\): permutes 4 axes by \[0, 1\]"),
        (lambda: two("LSTM"), r"\(LSTM\): operator is not supported"),
    ],
)
def test_nodes_that_are_not_supported(model, match, tmp_path):
    refused(model(), tmp_path / "m.onnx", match)


def test_two_layers_without_a_quantizer_between(tmp_path):
    g, x = start()
    model = g.model(conv(g, conv(g, x, 2, 3, bits=8), 2, 2))
    refused(
        model, tmp_path / "m.onnx", r"\(Conv\): takes sums of 19 bits that no quantizer has ended, where 16 bits or"
    )


def test_names_that_stand_for_two_things(tmp_path):
    g, x = start()
    model = g.model(conv(g, conv(g, x, 2, 3), 2, 2))
    twice = copy.deepcopy(model)
    twice.graph.node[2].output[0] = twice.graph.node[1].output[0]
    refused(twice, tmp_path / "m.onnx", r"node Conv_3 \(Conv\): writes 't1', which node Quant_2 \(Quant\) writes, need")
    twice = copy.deepcopy(model)
    twice.graph.node[2].output[0] = "constant1"
    refused(twice, tmp_path / "m.onnx", r"\(Conv\): writes 'constant1', which is stored in the file, need")
    model.graph.initializer.append(model.graph.initializer[0])
    refused(model, tmp_path / "m.onnx", r"constant0: is stored twice, need names of its own$")


def test_shapes_that_are_not_fixed(tmp_path):
    g, x = start()
    model = g.model(conv(g, x, 2, 3))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    refused(
        model, tmp_path / "m.onnx", r"input x: has shape \(1, 3, \?, 8\), need sizes that are fixed, but for the batch"
    )


def test_a_batch_that_is_not_fixed(tmp_path):
    g, x = start()
    model = g.model(conv(g, x, 2, 3))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    assert rowloom.from_qonnx(written(model, tmp_path / "m.onnx")).tensor("input").shape == (8, 8, 3)


def test_sums_over_48_bits(tmp_path):
    g, x = start((1, 1 << 17), bits=16, scale=2.0**-8)
    w = g.quant(np.ones((1 << 17, 1)) * 127, 2.0**-8, bits=16)
    net = rowloom.from_qonnx(written(g.model(g.add("MatMul", x, w)), tmp_path / "m.onnx"))
    assert max(map(abs, net.sum_range(net.layers[0]))).bit_length() == 47 + (
        min(net.sum_range(net.layers[0])) == -(1 << 47)
    )
    g, x = start((1, 1 << 18), bits=16, scale=2.0**-8)
    w = g.quant(np.ones((1 << 18, 1)) * 127, 2.0**-8, bits=16)
    refused(g.model(g.add("MatMul", x, w)), tmp_path / "m.onnx", r"dense1: its sums need \d+ bits, must be at most 48")


def test_cycles(tmp_path):
    g, x = start()
    model = g.model(g.add("Relu", x))
    model.graph.node[0].input[0] = model.graph.node[1].output[0]
    refused(model, tmp_path / "m.onnx", r"which nothing computes before, need a graph without cycles")


def test_several_inputs(tmp_path):
    g, x = start()
    model = g.model(conv(g, x, 2, 3))
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3)))
    refused(model, tmp_path / "m.onnx", r"m\.onnx: has 2 inputs, need one")


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04rest", b"\x89PNG....", b"hello, world", bytes(5000)])
def test_files_of_other_formats(content, tmp_path):
    refused(
        content,
        tmp_path / "m.bin",
        r"m\.bin: is (of no known format|a zip archive that is truncated|truncated or not|no ONNX file)",
    )


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(rowloom.RowloomError, match=r"none\.onnx: no such file"):
        import_file(tmp_path / "none.onnx")
    with pytest.raises(rowloom.RowloomError, match=r"is a folder, name a file"):
        import_file(tmp_path)


def test_the_wrong_function(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(SEEDS["tflite"][0])
    with pytest.raises(rowloom.RowloomError, match=r"is a TFLite file, use from_tflite"):
        rowloom.from_qonnx(path)
    path.write_bytes(SEEDS["onnx"][0])
    with pytest.raises(rowloom.RowloomError, match=r"is not a TFLite file"):
        rowloom.from_tflite(path)


@pytest.mark.parametrize("text", ["x", "0", "-1/255", "1/0", "nan", "1e999"])
def test_scales_that_are_none(text):
    with pytest.raises(rowloom.RowloomError, match=r"^--input-scale: "):
        parse_scale(text)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("uint8", Uniform(bits=8, signed=False)),
        ("INT4", Uniform(bits=4, signed=True)),
        ("binary", Binary()),
        ("ternary", Ternary()),
    ],
)
def test_encodings_by_name(text, encoding):
    assert parse_encoding(text) == encoding


@pytest.mark.parametrize("text", ["uint0", "int17", "float32", "", "8"])
def test_encodings_that_are_none(text):
    with pytest.raises(rowloom.RowloomError, match=r"^--input-encoding: .* is no encoding, need one such as uint8"):
        parse_encoding(text)


def test_one_of_two_options_is_missing(tmp_path):
    g = Graph((1, 3, 8, 8))
    path = written(g.model(conv(g, "x", 4, 3)), tmp_path / "m.onnx")
    with pytest.raises(rowloom.RowloomError, match=r"^--input-encoding: is missing"):
        rowloom.from_qonnx(path, input_scale="1/64")
