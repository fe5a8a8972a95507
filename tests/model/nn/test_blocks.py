from fractions import Fraction

import numpy as np
import pytest

from rowloom.model.encodings import Uniform

torch = pytest.importorskip("torch", reason="layers to train with are torch modules")
nn = pytest.importorskip("rowloom.model.nn")
binary = pytest.importorskip("rowloom.model.quant.binary")
uniform = pytest.importorskip("rowloom.model.quant.uniform")


def block(**fields):
    torch.manual_seed(0)
    return nn.Conv2d(3, 8, 3, **({"weight": binary.BinaryWeight(), "activation": binary.BinaryActivation()} | fields))


def scramble(norm):
    with torch.no_grad():
        for tensor in (norm.gamma, norm.beta, norm.mean):
            tensor.normal_()
        norm.variance.uniform_(0.5, 2)


def signs(*shape):
    torch.manual_seed(1)
    return torch.randint(0, 2, shape).float() * 2 - 1


def test_input_rounds_half_to_even_and_clips():
    layer = nn.Input(Uniform(bits=2, signed=False), scale=0.5)
    x = torch.tensor([-1.0, 0.0, 0.25, 0.75, 1.0, 9.0])
    assert layer(x).tolist() == [0, 0, 0, 2, 2, 3]
    assert layer(x).dtype == torch.float32


def test_norm_evaluates_as_torch_within_rounding_and_trains_as_torch():
    norm, reference = nn.BatchNorm(5), torch.nn.BatchNorm2d(5)
    x = torch.randn(4, 5, 3, 2) * 3 + 1
    torch.testing.assert_close(norm(x), reference(x))
    torch.testing.assert_close(norm.variance, reference.running_var)
    norm.eval()
    reference.eval()
    torch.testing.assert_close(norm(x), reference(x))


def test_norm_evaluates_the_same_in_every_shape_and_layout():
    norm = nn.BatchNorm(7).eval()
    scramble(norm)
    x = torch.randint(-500, 500, (6, 7, 5, 3)).float()
    with torch.no_grad():
        whole = norm(x)
        assert torch.equal(norm(x.contiguous(memory_format=torch.channels_last)), whole)
        for y in range(5):
            assert torch.equal(norm(x[:, :, y : y + 1, :1]), whole[:, :, y : y + 1, :1])
        assert torch.equal(norm(x[:, :, 0, 0]), whole[:, :, 0, 0])


@torch.no_grad()
def test_codes_of_8_bits_are_those_of_real_numbers():
    """At both sides of every threshold; norm and activation in float32 would put some a sum beside."""
    layer = block(weight=uniform.UniformWeight(8), activation=uniform.UniformActivation(8, full_scale=2.5)).eval()
    scramble(layer.norm)
    norm = layer.norm
    norm.variance.mul_(4e10)
    gain = norm.gamma / torch.sqrt(norm.variance + norm.EPS)
    per_real = Fraction(float(torch.exp(-layer.activation.log_step)))
    wrong = 0
    for m in range(8):
        mean, slope, beta = (Fraction(float(number)) for number in (norm.mean[m], gain[m], norm.beta[m]))
        middles = [((code + Fraction(1, 2)) / per_real - beta) / slope + mean for code in range(255)]
        sums = [int(middle) + i for middle in middles for i in (-1, 0, 1)]
        exact = [min(max(round(((s - mean) * slope + beta) * per_real), 0), 255) for s in sums]
        x = torch.tensor(sums).float()[:, None, None, None].expand(-1, 8, 1, 1)
        assert layer.post(x).dtype == torch.float32
        assert layer.post(x)[:, m, 0, 0].tolist() == exact
        wrong += layer.activation(norm(x))[:, m, 0, 0].tolist() != exact
    assert wrong


def test_rising_norm_uses_the_magnitude_of_gamma():
    norm = nn.BatchNorm(2, rising=True).eval()
    with torch.no_grad():
        norm.gamma.copy_(torch.tensor([-2.0, 2.0]))
    y = norm(torch.tensor([[1.0, 1.0]]))
    assert y[0, 0] == y[0, 1] > 0


def test_pool_before_or_after_norm_is_the_same_function():
    layer = block(pool=nn.MaxPool2d(2)).eval()
    scramble(layer.norm)
    x = signs(5, 3, 11, 10)
    with torch.no_grad():
        after = layer(x)
        before = layer.post(layer.pool(layer.sums(x)))
    assert 0.1 < (after > 0).float().mean() < 0.9
    assert torch.equal(after, before)


def test_convolution_pads_with_zero_and_sums_integers():
    layer = block(activation=None, padding=1)
    weights = torch.where(layer.latent >= 0, 1.0, -1.0).double()
    x = signs(2, 3, 5, 4)
    expected = torch.nn.functional.conv2d(x.double(), weights, padding=1)
    assert torch.equal(layer(x).double(), expected)
    assert layer.norm is None


def test_linear_flattens_the_map():
    layer = nn.Linear(12, 4, weight=binary.BinaryWeight())
    x = signs(2, 3, 2, 2)
    expected = x.flatten(1).double() @ torch.where(layer.latent >= 0, 1.0, -1.0).double().T
    assert torch.equal(layer(x).double(), expected)


def test_gradients_reach_every_parameter_and_constrain_clips():
    layer = block(pool=nn.MaxPool2d(2))
    layer(signs(4, 3, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    with torch.no_grad():
        layer.latent.mul_(10)
    layer.constrain()
    assert layer.latent.abs().max() == 1


@pytest.mark.parametrize("fields", [{}, {"padding": 1}, {"padding": 2, "pad_value": 1, "dilation": 2, "stride": 2}])
@pytest.mark.parametrize("groups", [1, 3])
def test_adder_convolution_is_minus_the_distance_at_every_tap(fields, groups):
    torch.manual_seed(2)
    layer = nn.AdderConv2d(3, 6, 3, weight=uniform.UniformWeight(4), groups=groups, **fields)
    x = torch.randint(-7, 8, (2, 3, 5, 4)).float()
    weights = layer.weight(layer.latent)
    pads, step, spread = fields.get("padding", 0), fields.get("stride", 1), fields.get("dilation", 1)
    y = layer(x)
    for n, m, e, f in np.ndindex(y.shape):
        total = 0
        for c, r, s in np.ndindex(3 // groups, 3, 3):
            row, column = e * step + r * spread - pads, f * step + s * spread - pads
            weight = weights[m, c, r, s].item()
            if 0 <= row < 5 and 0 <= column < 4:
                total -= abs(x[n, m // (6 // groups) * (3 // groups) + c, row, column].item() - weight)
            elif layer.pad_value is not None:
                total -= abs(layer.pad_value - weight)
        assert y[n, m, e, f] == total


def test_adder_linear_flattens_the_map():
    layer = nn.AdderLinear(12, 4, weight=uniform.UniformWeight(3))
    x = signs(2, 3, 2, 2)
    expected = -(x.flatten(1)[:, None] - layer.weight(layer.latent)).abs().sum(dim=2)
    assert torch.equal(layer(x), expected)


def test_adder_layers_train():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        nn.AdderConv2d(
            3, 8, 3, padding=1, weight=uniform.UniformWeight(4), activation=uniform.UniformActivation(4),
            pool=nn.MaxPool2d(2),
        ),
        nn.AdderLinear(8 * 4 * 4, 1, weight=uniform.UniformWeight(4)),
    )  # fmt: skip
    x = torch.randint(0, 16, (16, 3, 8, 8)).float()
    wanted = torch.linspace(-1, 1, 16)[:, None]
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        loss = torch.nn.functional.mse_loss(module(x) / 100 + 4, wanted)
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
