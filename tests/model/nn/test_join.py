import pytest

from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="layers to train with are torch modules")
nn = pytest.importorskip("rowloom.model.nn")
uniform = pytest.importorskip("rowloom.model.quant.uniform")


def test_adds_by_integer_multipliers():
    a, b = torch.tensor([[1.0, -2.0]]), torch.tensor([[10.0, 20.0]])
    assert nn.Add((3, -5))(a, b).tolist() == [[-47.0, -106.0]]
    assert nn.Add((7,))(a).tolist() == [[7.0, -14.0]]
    halves = nn.Add((1, 1), activation=uniform.UniformActivation(4, full_scale=30.0))
    # Steps of 2: 11 and 18 become 5.5, to even, and 9.
    assert halves(a, b).tolist() == [[6.0, 9.0]]


def test_concat_joins_channels():
    a, b = torch.zeros(2, 1, 3, 3), torch.ones(2, 2, 3, 3)
    assert torch.equal(nn.Concat()(a, b), torch.cat([a, b], dim=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Add(()), r"^Add: multipliers must be at least one integer, not \(\)$"),
        (lambda: nn.Add((1, 0.5)), r"^Add: multipliers must be at least one integer, not \(1, 0\.5\)$"),
        (lambda: nn.Add((1, 1))(torch.zeros(1)), r"^Add: has 2 multipliers, but 1 maps$"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(RowloomError, match=message):
        make()


class Net(torch.nn.Module):
    """A grouped and a depthwise convolution round a shortcut, then the average of each channel."""

    def __init__(self):
        super().__init__()

        def conv(*args, **fields):
            return nn.Conv2d(*args, weight=uniform.UniformWeight(4), activation=uniform.UniformActivation(4), **fields)

        self.input = nn.Input(Uniform(bits=4, signed=False), scale=1 / 15)
        self.stem = conv(2, 8, 3, padding=1)
        self.grouped = conv(8, 8, 3, padding=1, groups=4)
        self.depthwise = conv(8, 8, 3, padding=1, groups=8)
        self.join = nn.Add((1, 2), activation=uniform.UniformActivation(4), channels=8)
        self.average = nn.GlobalAveragePool2d(activation=uniform.UniformActivation(6, full_scale=8.0))
        self.head = nn.Linear(8, 2, weight=uniform.UniformWeight(4))

    def forward(self, x):
        x = self.stem(self.input(x))
        return self.head(self.average(self.join(x, self.depthwise(self.grouped(x)))))


def test_a_residual_network_trains():
    """Left or right half brighter: every part gets a gradient, and the loss falls."""
    torch.manual_seed(0)
    images, labels = torch.rand(64, 2, 6, 6), torch.arange(64) % 2
    images[labels == 0, :, :, :3] *= 0.3
    images[labels == 1, :, 3:, :] *= 0.3
    module = Net().train()
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(images) / 20, labels)
        loss.backward()
        if not losses:
            still = [name for name, each in module.named_parameters() if each.grad is None or not each.grad.any()]
            assert not still
        optimizer.step()
        for part in module.modules():
            if isinstance(part, nn.Weighted):
                part.constrain()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
