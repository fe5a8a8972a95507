"""Damage to graphs that are sound otherwise: what a careless script, or a malicious one, writes."""

import copy

import numpy as np
from onnx import AttributeProto, helper, numpy_helper

NUMBERS = [np.nan, np.inf, -np.inf, 0, -1, 1e30, -1e30, 1e-30]
INTEGERS = [-1, 0, 2, 7, 1 << 40, -5]
KINDS = [
    "Relu",
    "Conv",
    "Quant",
    "Reshape",
    "Concat",
    "TopK",
    "LSTM",
    "If",
    "Transpose",
    "Squeeze",
    "Pad",
    "Gemm",
    "Add",
]
DOMAINS = ["", "com.x", "qonnx.custom_op.general", "qonnx.custom_op.channels_last"]


def damaged(model, rng):
    """Return a copy with one or two things wrong, or merely odd."""
    model = copy.deepcopy(model)
    for _ in range(int(rng.integers(1, 3))):
        ways = [_constant, _constant, _constant, _attribute, _attribute, _node, _node, _graph]
        ways[int(rng.integers(len(ways)))](model, rng)
    return model


def _pick(rng, items):
    return items[int(rng.integers(len(items)))]


def _constant(model, rng):
    tensor = _pick(rng, model.graph.initializer)
    array = numpy_helper.to_array(tensor)
    numbers = array.astype(np.float32)
    if numbers.size:
        numbers.reshape(-1)[int(rng.integers(numbers.size))] = _pick(rng, NUMBERS)
    changed = [
        numbers,
        np.zeros_like(array),
        array.reshape(-1)[:-1],
        np.zeros((0, *array.shape[1:]), array.dtype),
        array[None],
        array.astype(_pick(rng, [np.int64, np.float64, np.int8, np.bool_, np.float16])),
        None,
    ]
    new = _pick(rng, changed)
    if new is None:
        model.graph.initializer.remove(tensor)
    else:
        tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))


def _attribute(model, rng):
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    node = _pick(rng, nodes)
    attribute = _pick(rng, node.attribute)
    how = int(rng.integers(3))
    if how == 0:
        node.attribute.remove(attribute)
    elif how == 1:
        name = attribute.name
        node.attribute.remove(attribute)
        node.attribute.append(helper.make_attribute(name, _pick(rng, [1.5, "a", [1, 2, 3], 3])))
    elif attribute.type == AttributeProto.INT:
        attribute.i = _pick(rng, INTEGERS)
    elif attribute.type == AttributeProto.INTS and attribute.ints:
        attribute.ints[int(rng.integers(len(attribute.ints)))] = _pick(rng, INTEGERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = _pick(rng, NUMBERS[:5])
    elif attribute.type == AttributeProto.STRING:
        attribute.s = b"xyz"


def _node(model, rng):
    node, other = _pick(rng, model.graph.node), _pick(rng, model.graph.node)
    how = int(rng.integers(5))
    if how == 0 and node.input:
        del node.input[int(rng.integers(len(node.input)))]
    elif how == 1:
        node.op_type = _pick(rng, KINDS)
    elif how == 2:
        node.domain = _pick(rng, DOMAINS)
    elif how == 3:
        node.output[0] = other.output[0]
    elif node.input:
        node.input[int(rng.integers(len(node.input)))] = other.output[0]


def _graph(model, rng):
    if rng.integers(2):
        sizes = model.graph.input[0].type.tensor_type.shape.dim
        _pick(rng, sizes).dim_value = _pick(rng, [0, 1, 2, 5, -1, 1 << 40])
    else:
        model.opset_import[0].version = _pick(rng, [1, 7, 9, 11, 13, 18, 21, 99])
