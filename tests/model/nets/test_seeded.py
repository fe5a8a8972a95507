import numpy as np
import pytest

from rowloom.model import zoo
from rowloom.model.encodings import Uniform

torch = pytest.importorskip("torch", reason="networks with random weights are torch modules")
seeded = pytest.importorskip("rowloom.model.nets.seeded")
nn = pytest.importorskip("rowloom.model.nn")
lowered = pytest.importorskip("tests.model.lowered")
threads = pytest.importorskip("rowloom.model.nets.threads")
blocks = pytest.importorskip("rowloom.model.nets.blocks")


@pytest.mark.parametrize("name", ["cnv-w2a2", "resnet8", "shufflenet-unit", "squeezenet-fire", "peer-cnn"])
def test_every_code_equals_torch(name):
    recipe = seeded.SEEDED[name]
    with threads.one_thread():
        module = recipe.make(0)
    lowered.assert_equal_at_every_layer(module, zoo.load(name), recipe.images(7)[:4])


@pytest.mark.parametrize("name", ["resnet8", "ds-cnn", "sfc-w1a1"])
def test_a_seed_makes_the_network_that_ships(name, tmp_path):
    recipe = seeded.SEEDED[name]
    recipe.network(name, 0).save(tmp_path / "again.rowloom")
    assert (tmp_path / "again.rowloom").read_bytes() == zoo.path(name).read_bytes()
    other = recipe.network(name, 1)
    assert any(
        not np.array_equal(layer.weights, old.weights)
        for layer, old in zip(other.layers, zoo.load(name).layers, strict=True)
        if hasattr(layer, "weights")
    )


def test_all_ship():
    assert set(seeded.SEEDED) <= set(zoo.names())


def test_calibration_gives_each_norm_the_statistics_of_what_it_meets():
    torch.manual_seed(3)
    style = blocks.integers(8)
    module = torch.nn.Sequential(blocks.pixels(), style.conv(3, 4, 3), style.conv(4, 6, 3))
    images = torch.rand(8, 3, 9, 9)
    seeded.calibrate(module, images)
    assert not module.training
    assert [each.norm.momentum for each in module[1:]] == [0.1, 0.1]
    with torch.no_grad():
        x = module[0](images)
        for block in module[1:]:
            sums = block.sums(x)
            # In training a batch is divided by its own deviation, of one value more.
            mean, deviation = sums.mean((0, 2, 3)), sums.std((0, 2, 3))
            assert ((block.norm.mean - mean).abs() < 0.01 * deviation).all()
            torch.testing.assert_close(block.norm.variance.sqrt(), deviation, rtol=0.01, atol=0)
            x = block(x)


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "padding"),
    [
        (3, 1, 32, (1, 1)),
        (3, 2, 32, (0, 1)),
        (3, 2, 25, (1, 1)),
        (10, 2, 49, (4, 5)),
        (4, 2, 10, (1, 1)),
        (1, 2, 8, (0, 0)),
    ],
)
def test_padding_is_tensorflows(kernel, stride, size, padding):
    assert blocks.same(kernel, stride, size) == padding
    assert (size + sum(padding) - kernel) // stride + 1 == -(-size // stride)


def test_centered_codes_add_to_rectified_ones():
    branch = blocks.integers(4).conv(2, 3, 1, centered=True)
    assert branch.activation.encoding == Uniform(bits=4, signed=False, zero_point=8)
    values = branch.activation(torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0]))
    assert values.tolist() == [-8.0, -2.0, 0.0, 2.0, 7.0]
