import subprocess
import sys

import numpy as np
import pytest

from rowloom.model import data, zoo
from rowloom.model.encodings import Binary, Uniform
from rowloom.model.errors import RowloomError


def test_fashion_bnn_is_what_it_should_be():
    net = zoo.load("fashion-bnn")
    assert "fashion-bnn" in zoo.names()
    assert net.tensor("input").shape == (28, 28, 1)
    assert net.tensor("input").encoding == Uniform(bits=8, signed=False)
    assert net.tensor(net.outputs[0]).shape == (1, 1, 10)
    ops = [layer.op for layer in net.layers]
    assert ops.count("conv2d") >= 3
    assert "linear" in ops
    assert all(layer.weight_encoding == Binary() for layer in net.layers if layer.op in ("conv2d", "linear"))
    assert net.weight_bits() <= 56_000


def test_shipped_images_are_told_apart():
    images, labels = zoo.images("fashion-bnn"), zoo.labels("fashion-bnn")
    assert (images.shape, images.dtype, labels.shape) == ((32, 28, 28, 1), np.uint8, (32,))
    assert np.mean(zoo.load("fashion-bnn").run(images).argmax(axis=1) == labels) >= 0.75


def test_accuracy_on_the_whole_test_split():
    try:
        dataset = data.fashion_mnist()
    except RowloomError as error:
        pytest.skip(f"the data set cannot be had: {error}")
    net = zoo.load("fashion-bnn")
    accuracy = float(np.mean(net.run(dataset.test_images).argmax(axis=1) == dataset.test_labels))
    assert accuracy >= 0.88
    assert net.about["test accuracy"] == accuracy
    np.testing.assert_array_equal(zoo.images("fashion-bnn"), dataset.test_images[:32])


FORMATS = {
    "binary": 0.83,
    "ternary": 0.87,
    "ttq": 0.87,
    "quinary": 0.87,
    "log-weights": 0.87,
    "log-both": 0.87,
    "dorefa2": 0.87,
    "dorefa3": 0.87,
    "w4a4": 0.88,
    "w8a8": 0.88,
}
"""What each network must reach on the test images."""


@pytest.mark.parametrize("form", FORMATS)
def test_a_network_ships_for_each_format(form):
    name = f"fashion-{form}"
    net = zoo.load(name)
    assert (net.name, net.about["recipe"]) == (name, name)
    assert net.macs() == 1_254_464
    assert net.about["test accuracy"] >= FORMATS[form]
    right = net.run(zoo.images(name)).argmax(axis=1) == zoo.labels(name)
    assert right.mean() >= 0.75
    assert zoo.path(name).stat().st_size < 100_000


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_accuracy_of_each_format_on_the_whole_test_split(form):
    net = zoo.load(f"fashion-{form}")
    dataset = data.fashion_mnist()
    accuracy = float(np.mean(net.run(dataset.test_images).argmax(axis=1) == dataset.test_labels))
    assert net.about["test accuracy"] == accuracy


def test_loads_from_a_path(tmp_path):
    path = tmp_path / "copy.rowloom"
    zoo.load("fashion-bnn").save(path)
    assert path.read_bytes() == zoo.path("fashion-bnn").read_bytes()
    assert zoo.load(path).name == "fashion-bnn"
    assert zoo.load(str(path)).name == "fashion-bnn"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (zoo.load, r"^x: is neither a file nor a network that ships, must be a file or .*fashion-bnn"),
        (zoo.path, r"^x: is no network that ships, must be .*fashion-bnn"),
        (zoo.images, r"^x: no images ship for it, must be .*fashion-bnn"),
    ],
)
def test_unknown_names(call, message):
    with pytest.raises(RowloomError, match=message):
        call("x")


def test_running_a_shipped_network_does_not_import_torch():
    program = (
        "import sys; from rowloom.model import zoo; zoo.load('fashion-bnn').run(zoo.images('fashion-bnn'));"
        "sys.exit('torch' in sys.modules or 'rich' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
