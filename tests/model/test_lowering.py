"""Golden codes equal torch's, at every layer."""

import numpy as np
import pytest

from rowloom.model import data
from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.operation import Operation

torch = pytest.importorskip("torch", reason="lowering starts from torch")
nn = pytest.importorskip("rowloom.model.nn")
binary = pytest.importorskip("rowloom.model.quant.binary")
quantizer = pytest.importorskip("rowloom.model.quant.quantizer")
fashion = pytest.importorskip("rowloom.model.nets.fashion")
lowering = pytest.importorskip("rowloom.model.lowering")
dorefa = pytest.importorskip("rowloom.model.quant.dorefa")
logarithmic = pytest.importorskip("rowloom.model.quant.logarithmic")
ternary = pytest.importorskip("rowloom.model.quant.ternary")
uniform = pytest.importorskip("rowloom.model.quant.uniform")
lowered = pytest.importorskip("tests.model.lowered")

assert_equal_at_every_layer, scramble = lowered.assert_equal_at_every_layer, lowered.scramble

PIXELS = Uniform(bits=8, signed=False)


class Levels(quantizer.Quantizer):
    """Rounds and clips to signed integers: an activation of more than two levels, or weights."""

    def __init__(self, bits):
        super().__init__()
        self.bits = bits

    @property
    def encoding(self):
        return Uniform(bits=self.bits, signed=True)

    def forward(self, x):
        return torch.round(x).clamp(self.encoding.min, self.encoding.max)


class Bump(Levels):
    """Not monotone."""

    def forward(self, x):
        return super().forward(x * x)


def conv(*args, **fields):
    return nn.Conv2d(*args, **({"weight": binary.BinaryWeight(), "activation": binary.BinaryActivation()} | fields))


def images(count, *shape):
    return np.random.default_rng(2).integers(0, 256, (count, *shape), dtype=np.uint8)


def test_names_shapes_and_encodings_of_fashion_bnn():
    net = lowering.lower(scramble(fashion.fashion_bnn()), torch.zeros(1, 1, 28, 28), name="n", about={"a": 1})
    assert [layer.name for layer in net.layers] == [
        "conv1", "conv2", "pool2", "conv3", "pool3", "conv4", "pool4", "fc5",
    ]  # fmt: skip
    assert all(layer.output == layer.name for layer in net.layers)
    assert net.tensor("input").encoding == PIXELS
    assert net.input_scale == 1 / 255
    assert net.tensor("conv2").encoding == Binary()
    assert net.tensor("fc5").encoding == Uniform(bits=10, signed=True)
    assert net.tensor("pool4").shape == (3, 3, 32)
    assert (net.name, dict(net.about)) == ("n", {"a": 1})


@pytest.mark.parametrize("seed", range(4))
def test_fashion_bnn_on_random_images(seed):
    module = scramble(fashion.fashion_bnn(), seed)
    net = lowering.lower(module, np.zeros((1, 1, 28, 28)))
    kept = assert_equal_at_every_layer(module, net, images(16, 28, 28, 1))
    assert 0.05 < kept["conv3"].mean() < 0.95


def test_fashion_bnn_on_1000_test_images():
    try:
        dataset = data.fashion_mnist()
    except RowloomError as error:
        pytest.skip(f"the data set cannot be had: {error}")
    module = fashion.fashion_bnn().train()
    # A few passes give the norms the statistics of real sums.
    with torch.no_grad():
        for start in range(0, 400, 100):
            batch = dataset.train_images[start : start + 100].astype(np.float32)
            module(torch.from_numpy(batch).permute(0, 3, 1, 2) / 255)
    net = lowering.lower(module, torch.zeros(1, 1, 28, 28))
    kept = assert_equal_at_every_layer(module, net, dataset.test_images[:1000])
    assert all(0.2 < kept[name].mean() < 0.8 for name in ("conv1", "conv3", "pool4"))


@pytest.mark.parametrize(
    "fields",
    [
        {"padding": 1},
        {"stride": 2, "padding": 1},
        {"padding": 2, "dilation": 2},
        {"groups": 3},
        {"padding": 1, "pool": (3, 2, 1)},
    ],
)
def test_geometries(fields):
    torch.manual_seed(3)
    pool = fields.pop("pool", None) if "pool" in fields else None
    if pool:
        fields = fields | {"pool": nn.MaxPool2d(pool[0], stride=pool[1], padding=pool[2])}
    module = scramble(
        torch.nn.Sequential(
            nn.Input(PIXELS, scale=1 / 255),
            torch.nn.Sequential(conv(3, 9, 3, padding=1), torch.nn.Sequential(conv(9, 6, 3, **fields))),
            nn.MaxPool2d(2),
        )
    )
    net = lowering.lower(module, torch.zeros(1, 3, 11, 10))
    assert_equal_at_every_layer(module, net, images(8, 11, 10, 3))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_more_levels_and_wider_weights(bits):
    torch.manual_seed(4)
    module = torch.nn.Sequential(
        nn.Input(PIXELS, scale=1 / 255),
        conv(2, 5, 3, weight=Levels(3), activation=Levels(bits), padding=1),
        nn.Linear(5 * 4 * 4, 6, weight=Levels(3), activation=Levels(bits)),
        nn.Linear(6, 3, weight=binary.BinaryWeight()),
    )
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Weighted):
                layer.latent.mul_(6)
    scramble(module)
    # Sums of 8-bit pixels are large: most should not be clipped.
    module[1].norm.variance.fill_(600.0**2)
    net = lowering.lower(module, torch.zeros(1, 2, 4, 4))
    kept = assert_equal_at_every_layer(module, net, images(50, 4, 4, 2))
    assert len(np.unique(kept["conv1"])) > 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"padding": 1},
        {"padding": 1, "pad_value": 0},
        {"stride": 2, "padding": 2, "dilation": 2, "pad_value": -2},
        {"groups": 3, "padding": 1},
        {"padding": 1, "pool": True},
    ],
)
@pytest.mark.parametrize("bits", [2, 4])
def test_sums_of_distances(bits, fields):
    """Codes of the network equal those of torch, at every adder layer."""
    torch.manual_seed(5)
    fields = fields | ({"pool": nn.MaxPool2d(2)} if "pool" in fields else {})
    module = torch.nn.Sequential(
        nn.Input(PIXELS, scale=1 / 255),
        nn.AdderConv2d(3, 9, 3, weight=uniform.UniformWeight(8), activation=uniform.UniformActivation(bits), padding=1),
        nn.AdderConv2d(9, 6, 3, weight=Levels(bits), activation=Levels(bits), **fields),
        nn.MaxPool2d(2),
    )
    with torch.no_grad():
        height, width = module(torch.zeros(1, 3, 11, 10)).shape[2:]
    features = 6 * height * width
    module.append(nn.AdderLinear(features, 7, weight=Levels(bits), activation=ternary.TernaryActivation()))
    module.append(nn.AdderLinear(7, 4, weight=ternary.TernaryWeight()))
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Weighted):
                layer.latent.mul_(4)
    # The statistics of real sums, which are all negative.
    pictures = images(8, 11, 10, 3)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.Weighted) and layer.norm:
                layer.norm.momentum = 1.0
                layer.norm.gamma.normal_()
        module.train()(torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2) / 255)
    net = lowering.lower(module, torch.zeros(1, 3, 11, 10))
    weighted = [layer for layer in net.layers if layer.op in ("conv2d", "linear")]
    assert all(layer.operation is Operation.ADDER for layer in weighted)
    assert weighted[1].pad_value == fields.get("pad_value")
    kept = assert_equal_at_every_layer(module, net, pictures)
    assert all(len(np.unique(kept[layer.name])) >= 3 for layer in weighted)


def function_of(gamma, beta, mean, variance):
    layer = conv(1, len(gamma), 1).eval()
    with torch.no_grad():
        for tensor, values in zip(
            (layer.norm.gamma, layer.norm.beta, layer.norm.mean, layer.norm.variance),
            (gamma, beta, mean, variance),
            strict=True,
        ):
            tensor.copy_(torch.tensor(values))
    return layer.post


def test_thresholds_at_exact_ties_and_for_every_sign_of_gamma():
    # One channel each: tie at 3, tie at 3 falling, between 3 and 4, constant +1, constant -1, never, always.
    function = function_of(
        gamma=[1.0, -1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
        beta=[0.0, 0.0, 0.0, 0.5, -0.5, -50.0, 50.0],
        mean=[3.0, 3.0, 3.5, 0.0, 0.0, 0.0, 0.0],
        variance=[1.0] * 7,
    )
    with torch.no_grad():
        found = lowering.find_thresholds("x", function, Binary(), [-20] * 7, [20] * 7)
    assert found.direction.tolist()[:3] == [1, -1, 1]
    assert found.values[:3, 0].tolist() == [3, -3, 4]
    sums = np.arange(-20, 21)[:, None] * found.direction
    codes = sums >= found.values[:, 0]
    assert codes[:, 3].all()
    assert not codes[:, 4].any()
    assert not codes[:, 5].any()
    assert codes[:, 6].all()


@pytest.mark.parametrize("seed", range(20))
def test_thresholds_equal_the_function_on_every_sum(seed):
    rng = np.random.default_rng(seed)
    count = 64
    function = function_of(
        gamma=rng.normal(size=count).tolist(),
        beta=rng.normal(size=count).tolist(),
        mean=rng.normal(0, 100, count).tolist(),
        variance=rng.uniform(1e-3, 1e4, count).tolist(),
    )
    low, high = (-rng.integers(1, 300, count)).tolist(), rng.integers(1, 300, count).tolist()
    with torch.no_grad():
        found = lowering.find_thresholds("x", function, Binary(), low, high)
        sums = torch.arange(-300, 301.0)[:, None].repeat(1, count)
        expected = function(sums[:, :, None, None])[:, :, 0, 0].numpy() > 0
    integers = sums.numpy().astype(np.int64)
    inside = (integers >= low) & (integers <= high)
    np.testing.assert_array_equal((integers * found.direction >= found.values[:, 0])[inside], expected[inside])


ACTIVATIONS = {
    "binary": lambda: binary.BinaryActivation(),
    "uniform1": lambda: uniform.UniformActivation(1),
    "uniform2": lambda: uniform.UniformActivation(2),
    "uniform4": lambda: uniform.UniformActivation(4),
    "uniform8": lambda: uniform.UniformActivation(8),
    "dorefa2": lambda: dorefa.DoReFaActivation(2),
    "dorefa3": lambda: dorefa.DoReFaActivation(3),
    "log2": lambda: logarithmic.PowerOfTwoActivation(2),
    "log3": lambda: logarithmic.PowerOfTwoActivation(3),
    "ternary": lambda: ternary.TernaryActivation(),
    "signed4": lambda: Levels(4),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_every_activation_at_every_sum(seed, activation):
    rng = np.random.default_rng(seed)
    count = 48
    layer = conv(1, count, 1, activation=ACTIVATIONS[activation]()).eval()
    with torch.no_grad():
        for tensor, values in (
            # Rising, falling and constant; steep, so that codes are skipped, and flat, so that few are reached.
            (layer.norm.gamma, rng.normal(size=count) * (rng.random(count) > 0.1)),
            (layer.norm.beta, rng.normal(size=count) * (rng.random(count) > 0.3)),
            (layer.norm.mean, rng.integers(-300, 300, count) / 2),
            (layer.norm.variance, 10.0 ** rng.uniform(-1, 5, count)),
        ):
            tensor.copy_(torch.from_numpy(values))
        encoding = layer.activation.encoding
        low, high = (-rng.integers(1, 900, count)).tolist(), rng.integers(1, 900, count).tolist()
        found = lowering.find_thresholds("x", layer.post, encoding, low, high)
        sums = torch.arange(-900, 901.0)[:, None].repeat(1, count)
        expected = encoding.encode(layer.post(sums[:, :, None, None])[:, :, 0, 0].numpy()).astype(np.int64)
    assert set(found.direction.tolist()) == {1, -1}
    assert len(np.unique(expected)) == encoding.code_max - encoding.code_min + 1
    found.check("x", encoding, low, high)
    assert np.all(found.values >= np.where(found.direction > 0, low, np.negative(high))[:, None])
    assert np.all(found.values <= np.where(found.direction > 0, high, np.negative(low))[:, None] + 1)
    integers = sums.numpy().astype(np.int64)
    inside = (integers >= low) & (integers <= high)
    codes = encoding.code_min + ((integers * found.direction)[:, :, None] >= found.values).sum(axis=2)
    np.testing.assert_array_equal(codes[inside], expected[inside])


@pytest.mark.parametrize(
    ("activation", "thresholds"),
    [
        # Halves go to even: 1/2 to 0, 3/2 to 2, 5/2 to 2.
        (lambda: uniform.UniformActivation(2, full_scale=3.0), [2, 3, 6]),
        # 1/2 goes to 0.
        (lambda: dorefa.DoReFaActivation(1), [2]),
        # 1 from 0.71, 2 from 1.42, 4 from 2.83.
        (lambda: logarithmic.PowerOfTwoActivation(2, full_scale=4.0), [2, 3, 6]),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_ties_of_activations(activation, thresholds, sign):
    quantizer = activation()
    with torch.no_grad():
        found = lowering.find_thresholds(
            "x", lambda sums: quantizer(sums * (sign / 2)), quantizer.encoding, [-20, -3], [20, 3]
        )
    assert found.direction.tolist() == [sign, sign]
    assert found.values.tolist() == [thresholds, [min(value, 4) for value in thresholds]]


def test_255_thresholds_of_many_channels_take_few_calls():
    calls = []
    quantizer = uniform.UniformActivation(8)

    def function(sums):
        calls.append(len(sums))
        return quantizer(sums / 40_000)

    with torch.no_grad():
        found = lowering.find_thresholds("x", function, quantizer.encoding, [-(1 << 20)] * 64, [1 << 20] * 64)
    assert found.values.shape == (64, 255)
    assert calls.count(255) <= 21


def test_modes_and_weights_are_left_as_they_were():
    module = fashion.fashion_bnn().train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    lowering.lower(module, torch.zeros(1, 1, 28, 28))
    assert all(each.training for each in module.modules())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_a_quantizer_is_asked_for_its_encoding_only():
    class Flipped(binary.BinaryWeight):
        @property
        def encoding(self) -> Encoding:
            return Uniform(bits=2, signed=True)

    module = torch.nn.Sequential(nn.Input(PIXELS, scale=1.0), nn.Linear(4, 2, weight=Flipped()))
    net = lowering.lower(module, torch.zeros(1, 4, 1, 1))
    assert net.layers[0].weight_encoding == Uniform(bits=2, signed=True)
    assert set(np.unique(net.layers[0].weights)) <= {-1, 1}


def sequential(*layers):
    return torch.nn.Sequential(nn.Input(PIXELS, scale=1 / 255), *layers)


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (
            lambda: sequential(conv(1, 2, 3), torch.nn.Sequential(torch.nn.ReLU())),
            (1, 1, 5, 5),
            r"^layer 2\.0: ReLU cannot be lowered, must be one of Add, .*, Upsample$",
        ),
        (
            lambda: sequential(torch.nn.Conv2d(1, 2, 3)),
            (1, 1, 5, 5),
            r"^layer 1: Conv2d cannot be lowered, must be one of Add, .*, Upsample$",
        ),
        (
            lambda: torch.nn.Sequential(conv(1, 2, 3)),
            (1, 1, 5, 5),
            r"^network: its first layer must be rowloom\.model\.nn\.Input, not Conv2d$",
        ),
        (torch.nn.Sequential, (1, 1, 5, 5), r"^network: its first layer must be .*Input, but there is none$"),
        (
            lambda: sequential(conv(1, 2, 3)),
            (5, 5, 1),
            r"^example input: shape is \(5, 5, 1\), must be \(N, C, H, W\)$",
        ),
        (
            lambda: sequential(conv(1, 2, 3)),
            (1, 3, 5, 5),
            r"^layer 1 \(conv1\): has weights for 1 channels, but input has 3$",
        ),
        (
            lambda: sequential(nn.Linear(9, 2, weight=binary.BinaryWeight())),
            (1, 1, 5, 5),
            r"^layer 1: Linear has 9 inputs, but its input is a map of \(5, 5, 1\)$",
        ),
        (
            lambda: sequential(conv(1, 2, 3, activation=None, norm=True)),
            (1, 1, 5, 5),
            r"^layer 1: Conv2d has a norm but no activation, must have both or none$",
        ),
        (
            lambda: sequential(conv(1, 2, 3, activation=Bump(4))),
            (1, 1, 5, 5),
            r"^layer 1: neither rises nor falls with its sum, need a monotone activation$",
        ),
        (
            lambda: torch.nn.Sequential(nn.Input(Uniform(bits=24, signed=False), scale=1.0), conv(1, 2, 3)),
            (1, 1, 5, 5),
            r"^layer 1: sums of Conv2d may reach 2\^24, must be less to be exact in float32$",
        ),
    ],
)
def test_refuses(module, shape, message):
    with pytest.raises(RowloomError, match=message):
        lowering.lower(module(), torch.zeros(shape))
