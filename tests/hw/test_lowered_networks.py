"""Networks of torch that bring maps up again, from the module to the accelerator."""

import numpy as np
import pytest

from rowloom.hw import ArrayConfig
from rowloom.hw import compile as compile_network
from rowloom.model.encodings import Uniform
from tests.hw.graphs import assert_exact

torch = pytest.importorskip("torch", reason="lowering starts from torch")
nn = pytest.importorskip("rowloom.model.nn")
uniform = pytest.importorskip("rowloom.model.quant.uniform")
lowering = pytest.importorskip("rowloom.model.lowering")

PIXELS = Uniform(bits=8, signed=False)


def conv(channels, filters, kernel, *, last=False):
    activation = None if last else uniform.UniformActivation(4)
    weight = uniform.UniformWeight(4, 0.5)
    return nn.Conv2d(channels, filters, kernel, padding=kernel // 2, weight=weight, activation=activation)


class SuperResolution(torch.nn.Sequential):
    """ESPCN (Shi et al., CVPR 2016, section 3): 5 x 5, 3 x 3, and a 3 x 3 whose channels become pixels."""

    shape = (10, 8, 1)

    def __init__(self):
        super().__init__(
            nn.Input(PIXELS, scale=1 / 255),
            conv(1, 16, 5),
            conv(16, 8, 3),
            conv(8, 9, 3, last=True),
            torch.nn.PixelShuffle(3),
        )


class UNet(torch.nn.Module):
    """Two steps down and up again (Ronneberger et al., MICCAI 2015, figure 1), with upsampling for up-convolutions."""

    shape = (8, 12, 3)

    def __init__(self):
        super().__init__()
        self.input = nn.Input(PIXELS, scale=1 / 255)
        self.pool = nn.MaxPool2d(2)
        self.up = torch.nn.Upsample(scale_factor=2)
        self.join = nn.Concat()
        self.down = torch.nn.ModuleList([conv(3, 8, 3), conv(8, 12, 3), conv(12, 16, 3)])
        self.rise = torch.nn.ModuleList([conv(16 + 12, 12, 3), conv(12 + 8, 8, 3)])
        self.last = conv(8, 3, 1, last=True)

    def forward(self, x):
        kept = []
        x = self.down[0](self.input(x))
        for down in list(self.down)[1:]:
            kept.append(x)
            x = down(self.pool(x))
        for rise in self.rise:
            x = rise(self.join(self.up(x), kept.pop()))
        return self.last(x)


@pytest.mark.cocotb
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (SuperResolution, ArrayConfig(rows=6, cols=2, lanes=8)),
        (UNet, ArrayConfig(rows=6, cols=2, lanes=8)),
    ],
    ids=["super-resolution", "u-net"],
)
def test_torch_equals_the_accelerator(kind, config):
    torch.manual_seed(0)
    module = kind()
    height, width, channels = kind.shape
    with torch.no_grad():
        module.train()  # norms that fit the sums
        for _ in range(20):
            module(torch.rand(8, channels, height, width))
        network = lowering.lower(module, torch.zeros(1, channels, height, width))
        images = np.random.default_rng(0).integers(0, 256, (2, *kind.shape), dtype=np.uint8)
        given = torch.from_numpy(images / 255.0).float().permute(0, 3, 1, 2)
        want = module.eval()(given)
    assert np.array_equal(network.run(images), want.permute(0, 2, 3, 1).numpy().astype(np.int64))
    design = compile_network(network, config)
    assert {plan.unit for plan in design.layers} >= ({"pool"} if kind is UNet else set())
    assert_exact(network, design, images=2)
