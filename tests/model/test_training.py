import numpy as np
import pytest

from rowloom.model import data, zoo
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="training needs torch")
training = pytest.importorskip("rowloom.model.training")
lowering = pytest.importorskip("rowloom.model.lowering")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small IDX files of ten patterns under noise, which are easy to tell apart."""
    folder = tmp_path_factory.mktemp("idx")
    rng = np.random.default_rng(0)
    # Mirrored patterns are the same pattern, because training mirrors images.
    half = rng.integers(0, 256, (10, 28, 14))
    patterns = np.concatenate([half, half[:, :, ::-1]], axis=2)
    for (images_name, labels_name), count in ((data.FILES[:2], 600), (data.FILES[2:], 100)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = np.clip(patterns[labels] + rng.normal(0, 20, (count, 28, 28)), 0, 255).astype(np.uint8)
        for name, array in ((images_name, images), (labels_name, labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / name).write_bytes(header + array.tobytes())
    return folder


def test_recipes_are_described():
    assert "Fashion-MNIST" in training.recipes()["fashion-bnn"]
    assert "TWN" in training.recipes()["fashion-ternary"]
    assert "random weights" in training.recipes()["resnet18-shapes"]
    assert set(training.recipes()) == set(zoo.names())


def test_learns_reports_and_lowers(folder, capsys):
    module, accuracy = training.train("fashion-bnn", data=folder, epochs=4, seed=1)
    assert accuracy > 0.5
    assert not module.training
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == [
        f"epoch {n} of 4" for n in (1, 2, 3, 4)
    ]
    assert lines[-1] == f"test accuracy {accuracy:.2%}"
    for parameter in module.parameters():
        assert torch.isfinite(parameter).all()
    assert all(layer.latent.abs().max() <= 1 for layer in module if hasattr(layer, "latent"))
    dataset = data.fashion_mnist(folder)
    net = lowering.lower(module, training.as_input(dataset.test_images[:1]))
    right = net.run(dataset.test_images).argmax(axis=1) == dataset.test_labels
    assert right.mean() == accuracy


@pytest.mark.parametrize("recipe", [name for name in training.RECIPES if name != "fashion-bnn"])
def test_every_format_learns_and_lowers(folder, recipe):
    module, accuracy = training.train(recipe, data=folder, epochs=4, seed=1, progress=False)
    assert accuracy > 0.5
    torch.manual_seed(1)
    untrained = dict(training.RECIPES[recipe].network().named_parameters())
    for name, parameter in module.named_parameters():
        assert torch.isfinite(parameter).all()
        assert not torch.equal(parameter, untrained[name]), f"{name} is not trained"
    dataset = data.fashion_mnist(folder)
    net = lowering.lower(module, training.as_input(dataset.test_images[:1]))
    assert (net.run(dataset.test_images).argmax(axis=1) == dataset.test_labels).mean() == accuracy


def test_same_seed_same_network(folder):
    states = [
        training.train("fashion-bnn", data=folder, epochs=1, seed=s, progress=False)[0].state_dict() for s in (3, 3, 4)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"recipe": "x"}, r"^recipe x: is unknown, must be fashion-bnn"),
        ({"recipe": "fashion-bnn", "epochs": 0}, r"^epochs: must be at least 1, not 0$"),
        ({"recipe": "fashion-bnn", "data": "/none"}, r"^/none: there is no such folder"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(RowloomError, match=message):
        training.train(**arguments)
