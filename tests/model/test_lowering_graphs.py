"""Golden codes equal torch's at every layer of networks that branch and join."""

import numpy as np
import pytest

from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="lowering starts from torch")
nn = pytest.importorskip("rowloom.model.nn")
binary = pytest.importorskip("rowloom.model.quant.binary")
ternary = pytest.importorskip("rowloom.model.quant.ternary")
uniform = pytest.importorskip("rowloom.model.quant.uniform")
lowering = pytest.importorskip("rowloom.model.lowering")
lowered = pytest.importorskip("tests.model.lowered")

PIXELS = Uniform(bits=8, signed=False)


def levels(bits=4):
    return uniform.UniformActivation(bits)


def conv(*args, **fields):
    return nn.Conv2d(*args, **({"weight": uniform.UniformWeight(4, 0.5), "activation": levels()} | fields))


def network(*layers):
    return torch.nn.Sequential(nn.Input(PIXELS, scale=1 / 255), *layers)


def assert_exact(module, shape, *, seed=0, count=12):
    """Lower a module with norms that fit its sums, and compare every tensor; most take many values."""
    height, width, channels = shape
    torch.manual_seed(seed)
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    images[0], images[1] = 0, 255
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm):
                norm.gamma.copy_(torch.randn(len(norm.gamma)))
                norm.beta.normal_(0.3, 0.5)
        # Statistics of real sums, so that quantizers do not only clip.
        module.train()
        for _ in range(30):
            module(torch.rand(8, channels, height, width))
    net = lowering.lower(module, torch.zeros(1, channels, height, width))
    kept = lowered.assert_equal_at_every_layer(module, net, images)
    for layer in net.layers:
        assert len(np.unique(kept[layer.output])) > 1, f"{layer.name} is constant"
    return net


class Residual(torch.nn.Module):
    """Two convolutions, and the input or a convolution of it; both rescaled by integers, added and quantized."""

    def __init__(self, channels, out_channels, stride, multipliers=(3, 5)):
        super().__init__()
        self.first = conv(channels, out_channels, 3, stride=stride, padding=1)
        self.second = conv(out_channels, out_channels, 3, padding=1)
        plain = stride == 1 and channels == out_channels
        self.shortcut = torch.nn.Identity() if plain else conv(channels, out_channels, 1, stride=stride)
        self.join = nn.Add(multipliers, activation=levels(), channels=out_channels)

    def forward(self, x):
        return self.join(self.second(self.first(x)), self.shortcut(x))


class ShuffleUnit(torch.nn.Module):
    """Grouped 1 x 1, shuffle, depthwise 3 x 3, grouped 1 x 1; with stride 2 joined by concatenation."""

    def __init__(self, channels, stride):
        super().__init__()
        self.stride = stride
        self.squeeze = conv(channels, 12, 1, groups=3)
        self.shuffle = torch.nn.ChannelShuffle(3)
        self.depthwise = conv(12, 12, 3, groups=12, stride=stride, padding=1)
        self.expand = conv(12, channels, 1, groups=3)
        self.average = nn.AveragePool2d(3, stride=2, padding=1, activation=levels())
        self.join = nn.Concat() if stride == 2 else nn.Add(activation=levels(), channels=channels)

    def forward(self, x):
        y = self.expand(self.depthwise(self.shuffle(self.squeeze(x))))
        return self.join(self.average(x) if self.stride == 2 else x, y)


class Fire(torch.nn.Module):
    """SqueezeNet's module: 1 x 1, then 1 x 1 and 3 x 3 side by side."""

    def __init__(self, channels, squeezed, expanded):
        super().__init__()
        self.squeeze = conv(channels, squeezed, 1)
        self.one = conv(squeezed, expanded, 1)
        self.three = conv(squeezed, expanded, 3, padding=1)
        self.join = nn.Concat()

    def forward(self, x):
        y = self.squeeze(x)
        return self.join(self.one(y), self.three(y))


class Heads(torch.nn.Module):
    """A detector's neck: two scales, the coarse one brought up, and an output at each."""

    def __init__(self, wrap):
        super().__init__()
        self.wrap = wrap
        self.input = nn.Input(PIXELS, scale=1 / 255)
        self.fine = conv(3, 8, 3, stride=2, padding=1)
        self.coarse = conv(8, 8, 3, stride=2, padding=1)
        self.up = torch.nn.Upsample(scale_factor=2)
        self.join = nn.Concat()
        self.large = nn.Conv2d(8, 5, 1, weight=uniform.UniformWeight(4))
        self.small = nn.Conv2d(16, 5, 1, weight=uniform.UniformWeight(4))

    def forward(self, x):
        fine = self.fine(self.input(x))
        coarse = self.coarse(fine)
        return self.wrap(self.large(coarse), self.small(self.join(fine, self.up(coarse))))


def ends(channels, classes=5):
    return nn.GlobalAveragePool2d(activation=levels()), nn.Linear(channels, classes, weight=ternary.TernaryWeight())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("multipliers", [(1, 1), (3, 5), (-2, 7)])
def test_residual_blocks_with_and_without_stride(multipliers, seed):
    module = network(
        conv(3, 8, 3, padding=1),
        Residual(8, 8, 1, multipliers),
        Residual(8, 12, 2, multipliers),
        Residual(12, 12, 1, multipliers),
        *ends(12),
    )
    net = assert_exact(module, (9, 8, 3), seed=seed)
    assert [layer.name for layer in net.layers] == [
        "conv1", "conv2", "conv3", "add1", "conv4", "conv5", "conv6", "add2", "conv7", "conv8", "add3", "average8",
        "fc9",
    ]  # fmt: skip
    assert net.layer("add1").inputs == ("conv3", "conv1")
    assert net.layer("add2").inputs == ("conv5", "conv6")


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_shufflenet_units(stride, seed):
    module = network(
        conv(3, 12, 3, stride=2, padding=1), ShuffleUnit(12, stride), ShuffleUnit(12 * stride, 1), *ends(12 * stride)
    )
    net = assert_exact(module, (13, 12, 3), seed=seed)
    assert net.layer("shuffle1").groups == 3
    assert [layer.op for layer in net.layers].count("concat") == stride - 1


@pytest.mark.parametrize("seed", range(3))
def test_fire_modules(seed):
    module = network(
        conv(3, 8, 3, stride=2, pool=nn.MaxPool2d(3, stride=2)),
        Fire(8, 4, 6),
        nn.MaxPool2d(3, stride=1, padding=1),
        torch.nn.Dropout(0.5),
        Fire(12, 6, 5),
        *ends(10),
    )
    net = assert_exact(module, (21, 19, 3), seed=seed)
    assert net.tensor("concat2").shape[2] == 10


@pytest.mark.parametrize("weight", [lambda: uniform.UniformWeight(8), binary.BinaryWeight, ternary.TernaryWeight])
def test_depthwise_separable_blocks(weight):
    def block(channels, filters, stride, kernel=3, **fields):
        return torch.nn.Sequential(
            conv(channels, channels, kernel, groups=channels, stride=stride, weight=weight(), **fields),
            conv(channels, filters, 1, weight=weight()),
        )

    module = network(
        conv(3, 6, (10, 4), stride=2, padding=(5, 1), activation=levels(8)),
        block(6, 8, 1, padding=1),
        block(8, 10, (1, 2), padding=(1, 0, 2, 1)),
        block(10, 8, 1, (5, 3), dilation=(1, 2), padding=(2, 2)),
        *ends(8),
    )
    net = assert_exact(module, (24, 14, 3))
    assert net.layer("conv2").depthwise
    assert net.layer("conv4").padding == (1, 0, 2, 1)
    assert net.layer("conv6").dilation == (1, 2)


@pytest.mark.parametrize(
    "wrap",
    [lambda a, b: (a, b), lambda a, b: [a, b], lambda a, b: {"large": a, "small": b}],
    ids=["tuple", "list", "dict"],
)
def test_several_outputs_come_in_order(wrap):
    module = Heads(wrap)
    net = assert_exact(module, (16, 12, 3))
    assert net.outputs == ("conv3", "conv4")
    x = np.random.default_rng(1).integers(0, 256, (3, 16, 12, 3))
    with torch.no_grad():
        result = module(torch.from_numpy(x / 255).permute(0, 3, 1, 2).float())
    values = list(result.values()) if isinstance(result, dict) else list(result)
    for name, expected in zip(net.outputs, values, strict=True):
        decoded = net.tensor(name).encoding.decode(net.run(x)[name])
        np.testing.assert_array_equal(decoded, expected.permute(0, 2, 3, 1).numpy())


POOLS = {
    "window": lambda **post: nn.AveragePool2d(2, **post),
    "overlapping": lambda **post: nn.AveragePool2d(3, stride=2, padding=1, **post),
    "padding counts": lambda **post: nn.AveragePool2d(3, stride=1, padding=1, count_include_pad=True, **post),
    "not square": lambda **post: nn.AveragePool2d((3, 2), stride=(1, 2), padding=(2, 0, 1, 0), **post),
    "global": nn.GlobalAveragePool2d,
}
ACTIVATIONS = {
    "raw": dict,
    "uniform2": lambda: {"activation": uniform.UniformActivation(2, 8.0)},
    "uniform8": lambda: {"activation": uniform.UniformActivation(8, 10.0)},
    "normalized": lambda: {"activation": uniform.UniformActivation(4), "channels": 6},
    "binary": lambda: {"activation": binary.BinaryActivation(), "channels": 6},
}


@pytest.mark.parametrize("post", ACTIVATIONS)
@pytest.mark.parametrize("pool", POOLS)
def test_average_pools(pool, post):
    module = network(conv(3, 6, 3, padding=1), POOLS[pool](**ACTIVATIONS[post]()))
    assert_exact(module, (7, 8, 3))


@pytest.mark.parametrize("post", ACTIVATIONS)
@pytest.mark.parametrize("multipliers", [(2,), (1, 1), (255, -3, 12)])
def test_additions_of_several_encodings(multipliers, post):
    class Branches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            given = [
                {"activation": levels(8)},
                {"activation": binary.BinaryActivation()},
                {"activation": None},
            ]
            self.input = nn.Input(PIXELS, scale=1 / 255)
            self.branches = torch.nn.ModuleList(
                conv(3, 6, 3, weight=ternary.TernaryWeight(), **fields) for fields in given[: len(multipliers)]
            )
            self.join = nn.Add(multipliers, **ACTIVATIONS[post]())

        def forward(self, x):
            x = self.input(x)
            return self.join(*[branch(x) for branch in self.branches])

    assert_exact(Branches(), (6, 5, 3))


def test_layers_that_move_values():
    module = network(
        conv(3, 24, 3),
        torch.nn.ChannelShuffle(4),
        torch.nn.PixelShuffle(2),
        torch.nn.Upsample(scale_factor=3),
        torch.nn.Identity(),
        torch.nn.Upsample(scale_factor=2.0, mode="nearest"),
        conv(6, 4, 2),
    )
    net = assert_exact(module, (5, 6, 3), count=4)
    assert [layer.name for layer in net.layers] == [
        "conv1", "shuffle1", "squares1", "upsample1", "upsample2", "conv2",
    ]  # fmt: skip


@pytest.mark.parametrize("flatten", [lambda: torch.nn.Flatten(), None])
def test_a_map_may_be_flattened_before_a_dense_layer(flatten):
    class Flattened(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network(conv(2, 5, 3))
            self.flatten = flatten() if flatten else None
            self.head = nn.Linear(5 * 3 * 4, 7, weight=ternary.TernaryWeight())

        def forward(self, x):
            x = self.body(x)
            return self.head(self.flatten(x) if self.flatten else x.flatten(1))

    assert_exact(Flattened(), (5, 6, 2))


def test_a_module_may_be_used_twice():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.input = nn.Input(PIXELS, scale=1 / 255)
            self.stem, self.shared = conv(3, 6, 3), conv(6, 6, 3, padding=1)

        def forward(self, x):
            return self.shared(self.shared(self.stem(self.input(x))))

    net = assert_exact(Twice(), (6, 6, 3))
    assert [layer.name for layer in net.layers] == ["conv1", "conv2", "conv3"]


class Wrong(torch.nn.Module):
    """A block that does something with its branches."""

    def __init__(self, function, *layers):
        super().__init__()
        self.function = function
        self.left, self.right = conv(3, 4, 3), conv(3, 4, 3, activation=levels(2))
        self.join = layers[0] if layers else None

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            lambda: network(Wrong(lambda m, x: m.left(x) + m.right(x))),
            r"^layer 1: add cannot be lowered, must be a module, such as rowloom\.model\.nn\.Add or Concat$",
        ),
        (
            lambda: network(Wrong(lambda m, x: torch.cat([m.left(x), m.right(x)], 1))),
            r"^layer 1: cat cannot be lowered, must be a module",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.left(x).relu())),
            r"^layer 1: relu cannot be lowered, must be a module",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.left(x) if x.sum() > 0 else m.right(x))),
            r"^network: its forward cannot be traced \(.*\), must only pass tensors between layers$",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.join(m.left(x), m.right(x)), nn.Concat())),
            r"^layer 1\.join \(concat1\): must keep Uniform\(bits=2, .*\), not give Uniform\(bits=4",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.join(m.left(x), x), nn.Add(activation=levels()))),
            r"^layer 1\.join \(add1\): adds maps of equal shape, but conv1 is \(4, 4, 4\) and input is \(6, 6, 3\)$",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.join(m.left(x)), nn.Add(activation=levels()))),
            r"^layer 1\.join: Add has 2 multipliers, but 1 inputs$",
        ),
        (
            lambda: network(Wrong(lambda m, x: m.join(m.left(x), m.right(x)), nn.Add((1 << 21, 1)))),
            r"^layer 1\.join: sums of Add may reach 2\^24, must be less to be exact in float32$",
        ),
        (
            lambda: network(Wrong(lambda m, x: (m.left(x), m.right(x))[0])),
            r"^layer 1 \(conv2\): writes conv2, which no layer reads, must be an output, or left out$",
        ),
        (
            lambda: network(Wrong(lambda m, x: [m.left(x), 3])),
            r"^network: must return tensors that layers put out$",
        ),
        (
            lambda: network(conv(3, 4, 3), torch.nn.Flatten()),
            r"^network: its output takes a flattened map of \(4, 4, 4\), only Linear may$",
        ),
        (
            lambda: network(conv(3, 4, 3), torch.nn.Flatten(), nn.Add((1,), activation=levels())),
            r"^layer 3: Add takes a flattened map of \(4, 4, 4\), only Linear may$",
        ),
        (
            lambda: network(torch.nn.Upsample(scale_factor=2, mode="bilinear")),
            r"^layer 1: Upsample has mode 'bilinear', size None and scale_factor 2\.0, must have mode 'nearest' and",
        ),
        (
            lambda: network(torch.nn.Upsample(size=12)),
            r"^layer 1: Upsample has mode 'nearest', size 12 and scale_factor None, must have",
        ),
        (
            lambda: network(torch.nn.ChannelShuffle(2)),
            r"^layer 1 \(shuffle1\): shuffles 2 groups, but input has 3 channels, not a multiple$",
        ),
        (
            lambda: network(nn.AveragePool2d(2, channels=3)),
            r"^layer 1: AveragePool2d has a norm but no activation, must have both or none$",
        ),
        (
            lambda: network(nn.AveragePool2d(9, activation=levels())),
            r"^layer 1 \(average0\): a window of \(9, 9\) does not fit into a padded map of \(6, 6, 3\)$",
        ),
        (
            lambda: network(nn.Input(PIXELS, scale=1.0)),
            r"^layer 1: Input stands behind other layers, must be the first$",
        ),
        (
            lambda: Wrong(lambda m, x: m.left(x)),
            r"^network: its first layer must be rowloom\.model\.nn\.Input, not Conv2d$",
        ),
    ],
)
def test_refuses(module, message):
    with pytest.raises(RowloomError, match=message):
        lowering.lower(module(), torch.zeros(1, 3, 6, 6))


def test_a_raw_sum_of_many_bits_cannot_be_added():
    wide = Uniform(bits=17, signed=False)
    module = torch.nn.Sequential(nn.Input(wide, scale=1.0), nn.Add((1,)))
    with pytest.raises(RowloomError, match=r"^layer 1: Add reads Uniform\(bits=17, .*\), must be of at most 16 bits"):
        lowering.lower(module, torch.zeros(1, 3, 6, 6))
