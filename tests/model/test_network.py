import dataclasses

import numpy as np
import pytest

from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Linear
from rowloom.model.network import Network, Tensor


def edited(network, **fields):
    given = {f.name: getattr(network, f.name) for f in dataclasses.fields(network) if f.init}
    return Network(**(given | fields))


def with_layer(network, name, **fields):
    return edited(
        network,
        layers=tuple(dataclasses.replace(each, **fields) if each.name == name else each for each in network.layers),
    )


def with_tensor(network, name, **fields):
    return edited(
        network,
        tensors=tuple(dataclasses.replace(each, **fields) if each.name == name else each for each in network.tensors),
    )


def test_looks_up_by_name(small_network):
    assert small_network.tensor("conv1").shape == (6, 5, 7)
    assert small_network.layer("fc3").op == "linear"
    assert small_network.input_scale == 1 / 15
    with pytest.raises(RowloomError, match=r"^x: is no tensor of small, must be input or conv1 or"):
        small_network.tensor("x")
    with pytest.raises(RowloomError, match=r"^x: is no layer of small, must be conv1 or pool1"):
        small_network.layer("x")


def test_figures(small_network):
    conv1, pool1, conv2, fc3, _ = small_network.layers
    assert small_network.macs(conv1) == 6 * 5 * 7 * 27
    assert small_network.macs() == 6 * 5 * 7 * 27 + 3 * 2 * 5 * 63 + 4 * 30
    assert small_network.weight_bits() == 7 * 27 + 5 * 63 + 4 * 30
    assert small_network.weight_bits(pool1) == 0
    low, high = small_network.sum_range(conv1)
    ones = (2 * conv1.weights.astype(int) - 1).reshape(7, -1)
    assert (low, high) == (15 * np.minimum(ones, 0).sum(1).min(), 15 * np.maximum(ones, 0).sum(1).max())
    assert small_network.sum_range(conv2) == (-63, 63)
    assert small_network.sum_range(fc3) == (-30, 30)
    assert small_network.sum_range(pool1) == (-1, 1)


def test_is_frozen(small_network):
    with pytest.raises(dataclasses.FrozenInstanceError):
        small_network.name = "x"
    with pytest.raises(TypeError, match="does not support item assignment"):
        small_network.about["x"] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: edited(n, name=""), r"^network: name must be a string that is not empty, not ''$"),
        (lambda n: edited(n, tensors=(*n.tensors, n.tensors[0])), r"^input: is the name of 2 tensors, names must be"),
        (lambda n: edited(n, layers=(*n.layers, n.layers[0])), r"^conv1: is the name of 2 layers, names must be"),
        (lambda n: edited(n, outputs=()), r"^small: must have at least one output$"),
        (lambda n: edited(n, outputs=("x",)), r"^small: output 'x' is not one of its tensors$"),
        (lambda n: edited(n, input="x"), r"^small: input 'x' is not one of its tensors$"),
        (lambda n: edited(n, layers=n.layers[:-1]), r"^class: is written by no layer and is not the network's input$"),
        (
            lambda n: edited(n, layers=(n.layers[1], n.layers[0], *n.layers[2:])),
            r"^layer 0 \(pool1\): reads conv1 before layer 1 \(conv1\) writes it, sort the layers$",
        ),
        (lambda n: with_layer(n, "conv1", output="x"), r"^layer 0 \(conv1\): tensor 'x' is not in the network$"),
        (
            lambda n: with_layer(n, "argmax", output="input"),
            r"^layer 4 \(argmax\): writes input, which is the network's input$",
        ),
        (
            lambda n: with_layer(n, "conv2", output="conv1"),
            r"^layer 2 \(conv2\): writes conv1, which layer 0 \(conv1\) also writes$",
        ),
        (lambda n: with_layer(n, "conv1", input="conv2"), r"^layer 0 \(conv1\): is part of a cycle, or fed by one$"),
        (
            lambda n: with_tensor(n, "conv1", shape=(6, 6, 7)),
            r"^layer 0 \(conv1\): gives \(6, 5, 7\), but conv1 is \(6, 6, 7\)$",
        ),
        (
            lambda n: with_tensor(n, "input", shape=(6, 5, 4)),
            r"^layer 0 \(conv1\): has weights for 3 channels, but input has 4$",
        ),
        (lambda n: edited(n, outputs=("class", "class")), r"^class: is the name of 2 outputs, names must be unique$"),
        (
            lambda n: edited(n, outputs=("conv2",)),
            r"^layer 4 \(argmax\): writes class, which no layer reads, must be an output, or left out$",
        ),
        (
            lambda n: with_tensor(n, "pool1", encoding=Uniform(bits=1, signed=False)),
            r"^layer 1 \(pool1\): must keep Binary\(\), not give Uniform",
        ),
        (
            lambda n: with_tensor(n, "class", encoding=Binary()),
            r"^layer 4 \(argmax\): gives 0 to 3, more than Binary\(\) holds$",
        ),
        (
            lambda n: with_tensor(n, "fc3", encoding=Uniform(bits=5, signed=True)),
            r"^layer 3 \(fc3\): gives sums of -30 to 30, more than Uniform\(bits=5, signed=True, zero_point=0\) holds$",
        ),
        (
            lambda n: with_layer(n, "fc3", bias=np.full(4, 1 << 50)),
            r"^layer 3 \(fc3\): its sums need 52 bits, must be at most 48$",
        ),
        (
            lambda n: with_tensor(n, "conv2", encoding=Uniform(bits=2, signed=False)),
            r"^layer 2 \(conv2\): has 1 thresholds a channel, Uniform\(.*\) needs 3$",
        ),
    ],
)
def test_refuses(small_network, change, message):
    with pytest.raises(RowloomError, match=message):
        change(small_network)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, r"^tensor: name must be a string that is not empty, not ''$"),
        ({"shape": (1, 2)}, r"^t: shape must be three integers of at least 1, not \(1, 2\)$"),
        ({"shape": (0, 2, 3)}, r"^t: shape must be three integers of at least 1, not \(0, 2, 3\)$"),
        ({"encoding": "binary"}, r"^t: encoding must be an Encoding, not 'binary'$"),
        ({"scale": 0.0}, r"^t: scale must be a float above 0, not 0\.0$"),
        ({"scale": float("nan")}, r"^t: scale must be a float above 0, not nan$"),
    ],
)
def test_tensor_refuses(fields, message):
    with pytest.raises(RowloomError, match=message):
        Tensor(**({"name": "t", "shape": (1, 1, 1), "encoding": Binary()} | fields))


def test_a_tensor_may_feed_two_layers():
    weights = np.ones((2, 1, 1, 3), int)
    sums = Uniform(bits=3, signed=True)
    net = Network(
        name="fork",
        tensors=(
            Tensor(name="x", shape=(1, 1, 3), encoding=Binary()),
            Tensor(name="a", shape=(1, 1, 2), encoding=sums),
            Tensor(name="b", shape=(1, 1, 1), encoding=Uniform(bits=2, signed=False)),
        ),
        layers=(
            Linear(name="a", input="x", output="a", weights=weights, weight_encoding=Binary()),
            ArgMax(name="b", input="x", output="b"),
        ),
        input="x",
        outputs=("a", "b"),
    )
    kept = net.run(np.array([[[[0, 1, 1]]]]), keep="all")
    assert kept["a"].tolist() == [[[[1, 1]]]]
    assert kept["b"].tolist() == [[[[1]]]]
    assert {name: array.tolist() for name, array in net.run(np.array([[[[0, 1, 1]]]])).items()} == {
        "a": [[1, 1]],
        "b": [[1]],
    }
