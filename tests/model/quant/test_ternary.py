import pytest

from rowloom.model.encodings import Ternary

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
ternary = pytest.importorskip("rowloom.model.quant.ternary")


def test_zero_up_to_seven_tenths_of_the_mean_magnitude():
    # Mean magnitude 1/2 to the last bit; the threshold is what 0.7 and 1/2 give in float32.
    limit = float(torch.tensor(0.7) * torch.tensor(0.5))
    latent = torch.tensor([limit, -limit, 1 - limit, limit - 1, 0.0, 1.0, 0.5, -0.5])
    assert latent.abs().mean() == 0.5
    values = ternary.TernaryWeight()(latent)
    assert values.tolist() == [0, 0, 1, -1, 0, 1, 1, -1]


def test_values_are_of_the_encoding_whatever_the_scale():
    torch.manual_seed(0)
    latent = torch.randn(40, 3, 3, 3)
    quantizer = ternary.TernaryWeight()
    values = quantizer(latent)
    assert quantizer.encoding == Ternary()
    assert Ternary().encode(values.numpy()).min() == -1
    assert 0.3 < (values == 0).float().mean() < 0.55
    assert torch.equal(quantizer(latent * 8), values)
    assert not quantizer(torch.zeros(3)).any()


def test_gradient_passes_straight_through_and_latent_weights_are_clipped():
    latent = torch.tensor([-2.0, 0.1, 0.9], requires_grad=True)
    quantizer = ternary.TernaryWeight()
    quantizer(latent).backward(torch.tensor([1.0, 2.0, 3.0]))
    assert latent.grad.tolist() == [1, 2, 3]
    quantizer.constrain(latent)
    assert latent[0] == -1


def test_activations_are_zero_up_to_a_half():
    quantizer = ternary.TernaryActivation()
    x = torch.tensor([-9.0, -0.51, -0.5, 0.0, 0.5, 0.51, 9.0], requires_grad=True)
    y = quantizer(x)
    assert y.tolist() == [-1, -1, 0, 0, 0, 1, 1]
    assert quantizer.encoding == Ternary()
    y.backward(torch.ones(7))
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 0]
