import sys

import numpy as np
import pytest

import rowloom
from rowloom.model.errors import RowloomError, ToolMissing
from tests.rowloom.networks import small_network


def test_every_public_name_is_there():
    for name in rowloom.__all__:
        assert getattr(rowloom, name).__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match=r"^module 'rowloom' has no attribute 'frobnicate'$"):
        rowloom.__getattr__("frobnicate")


def test_load_takes_a_file(small):
    net = rowloom.load(small)
    x = np.full((2, 8, 8, 1), 7)
    assert (rowloom.run(net, x) == small_network().run(x)).all()


def test_load_takes_a_name():
    assert rowloom.load("fashion-bnn").name == "fashion-bnn"


def test_load_tells_what_ships():
    with pytest.raises(RowloomError, match=r"^nothing: no such file or network, networks that ship: .*fashion-bnn"):
        rowloom.load("nothing")


def test_images_that_ship_are_used():
    net = rowloom.load("fashion-bnn")
    assert rowloom.images(net, 3).shape == (3, 28, 28, 1)
    with pytest.raises(RowloomError, match=r"^images: 1000 are asked for, but 32 ship with fashion-bnn"):
        rowloom.images(net, 1000)


def test_other_images_are_random_within_the_encoding():
    net = small_network()
    x = rowloom.images(net, 20)
    assert x.shape == (20, 8, 8, 1)
    assert (x.min(), x.max()) == (0, 255)
    assert (rowloom.images(net, 20) == x).all()
    assert (rowloom.images(net, 20, seed=1) != x).any()
    with pytest.raises(RowloomError, match=r"^images: cannot use 0 of them, need at least 1$"):
        rowloom.images(net, 0)


@pytest.mark.parametrize("function", [lambda: rowloom.lower(None, None), lambda: rowloom.train("fashion-bnn")])
def test_a_missing_torch_is_told(function, monkeypatch):
    for module in [
        name for name in sys.modules if name.startswith(("rowloom.model.lowering", "rowloom.model.training"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolMissing, match=r"^torch: is not installed, training and lowering need it"):
        function()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("usb://1", r"^device 'usb://1': unknown kind of address, need serial:// and a port$"),
        ("serial://", r"^device 'serial://': unknown kind of address"),
        ("serial:///dev/no-such-port", r"^device 'serial:///dev/no-such-port': cannot be opened"),
    ],
)
def test_devices_that_cannot_be_opened(address, message):
    with pytest.raises(RowloomError, match=message):
        rowloom.open(address)


def test_networks_with_random_weights_are_made_again(tmp_path):
    rowloom.train("alexnet-shapes").save(tmp_path / "again")
    rowloom.load("alexnet-shapes").save(tmp_path / "shipped")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "shipped").read_bytes()
    with pytest.raises(rowloom.RowloomError, match=r"^epochs: is given, but alexnet-shapes has random weights, leave"):
        rowloom.train("alexnet-shapes", epochs=3)


def test_compile_takes_an_array_or_what_was_built():
    net, config = small_network(), rowloom.ArrayConfig(rows=3, cols=1, lanes=8, load_bits=8)
    first, second = rowloom.compile([net, net], config)
    assert first.hardware == second.hardware
    assert rowloom.compile(net, hardware=first).images == rowloom.compile(net, hardware=first.built).images
    with pytest.raises(RowloomError, match=r"^compile: needs an array, give config or hardware, one of them$"):
        rowloom.compile(net)
    with pytest.raises(RowloomError, match=r"^compile: needs an array, give config or hardware, one of them$"):
        rowloom.compile(net, config, hardware=first)
    with pytest.raises(RowloomError, match=r"^compile: maps one network at a time onto hardware that was built"):
        rowloom.compile([net], hardware=first)
