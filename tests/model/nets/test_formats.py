import pytest

from rowloom.model import data
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="networks to train are torch modules")
formats = pytest.importorskip("rowloom.model.nets.formats")
lowering = pytest.importorskip("rowloom.model.lowering")
training = pytest.importorskip("rowloom.model.training")
lowered = pytest.importorskip("tests.model.lowered")

ENCODINGS = {
    "binary": (Binary(), Binary()),
    "ternary": (Ternary(), Uniform(bits=2, signed=False)),
    "ttq": (Codebook((-5, 0, 7)), Uniform(bits=2, signed=False)),
    "quinary": (Quinary(), Uniform(bits=2, signed=False)),
    "log-weights": (PowerOfTwo(bits=3, e_min=0, e_max=2), Uniform(bits=4, signed=False)),
    "log-both": (PowerOfTwo(bits=3, e_min=0, e_max=2), PowerOfTwo(bits=3, e_min=0, e_max=6, signed=False)),
    "dorefa2": (DoReFa(2), Uniform(bits=2, signed=False)),
    "dorefa3": (DoReFa(3), Uniform(bits=3, signed=False)),
    "w4a4": (Uniform(bits=4, signed=True), Uniform(bits=4, signed=False)),
    "w8a8": (Uniform(bits=8, signed=True), Uniform(bits=8, signed=False)),
}
assert set(ENCODINGS) == set(formats.FORMATS)


def untrained(name):
    torch.manual_seed(5)
    module = formats.FORMATS[name].network()
    if name == "ttq":
        with torch.no_grad():
            for layer in module[1:]:
                layer.weight.negative.fill_(0.7)
    return module


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_code_equals_torch_on_real_images(name):
    try:
        dataset = data.fashion_mnist()
    except RowloomError as error:
        pytest.skip(f"the data set cannot be had: {error}")
    module = untrained(name).train()
    with torch.no_grad():
        for layer in module[1:4]:
            # Falling channels and flat ones, where no pool asks for rising ones.
            layer.norm.gamma[::3] *= -1
            layer.norm.gamma[1::8] = 0
        # A few passes give the norms the statistics of real sums.
        for start in range(0, 600, 60):
            module(training.as_input(dataset.train_images[start : start + 60]))
    net = lowering.lower(module, torch.zeros(1, 1, 28, 28), name=name)
    weight, activation = ENCODINGS[name]
    assert all(net.tensor(layer).encoding == activation for layer in ("conv1", "conv2", "conv3"))
    assert all(layer.weight_encoding == weight for layer in net.layers if layer.op in ("conv2d", "linear"))
    kept = lowered.assert_equal_at_every_layer(module, net, dataset.test_images[:200])
    levels = activation.code_max - activation.code_min + 1
    for layer in ("conv1", "conv2", "conv3"):
        assert len(set(kept[layer].ravel().tolist())) >= 0.9 * levels, "most codes occur"


@pytest.mark.parametrize("name", ENCODINGS)
def test_output_is_as_wide_as_the_recipe_says(name):
    module = untrained(name).train()
    with torch.no_grad():
        deviation = module(torch.rand(100, 1, 28, 28)).std().item()
    assert 0.3 < deviation / formats.FORMATS[name].sum_deviation < 3


def test_one_architecture():
    nets = [lowering.lower(untrained(name), torch.zeros(1, 1, 28, 28)) for name in ENCODINGS]
    assert {net.macs() for net in nets} == {1_254_464}
    assert {tuple(layer.op for layer in net.layers) for net in nets} == {
        ("conv2d", "max_pool2d", "conv2d", "max_pool2d", "conv2d", "linear")
    }
    assert {net.weight_bits() // net.layers[0].weight_encoding.bits for net in nets} == {21_968}
