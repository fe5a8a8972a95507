import pytest

from rowloom.model.encodings import Binary

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
binary = pytest.importorskip("rowloom.model.quant.binary")

REALS = [-2.0, -1.0, -0.5, -1e-30, -0.0, 0.0, 1e-30, 0.5, 1.0, 2.0]
SIGNS = [-1, -1, -1, -1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["BinaryWeight", "BinaryActivation"])
def test_values_are_signs_and_zero_is_plus_one(kind):
    quantizer = getattr(binary, kind)()
    values = quantizer(torch.tensor(REALS))
    assert values.tolist() == SIGNS
    assert quantizer.encoding == Binary()
    Binary().encode(values.numpy())


def test_weight_gradient_passes_straight_through():
    latent = torch.tensor(REALS, requires_grad=True)
    binary.BinaryWeight()(latent).backward(torch.arange(10.0))
    assert latent.grad.tolist() == list(range(10))


def test_activation_gradient_is_that_of_a_clip():
    x = torch.tensor([-2.0, -0.9, 0.0, 0.9, 2.0], requires_grad=True)
    binary.BinaryActivation()(x).backward(torch.full((5,), 3.0))
    assert x.grad.tolist() == [0, 3, 3, 3, 0]


def test_latent_weights_are_clipped_in_place():
    latent = torch.nn.Parameter(torch.tensor([-3.0, 0.25, 1.5]))
    binary.BinaryWeight().constrain(latent)
    assert latent.tolist() == [-1, 0.25, 1]


def test_activations_have_nothing_to_constrain():
    latent = torch.nn.Parameter(torch.tensor([-3.0, 1.5]))
    binary.BinaryActivation().constrain(latent)
    assert latent.tolist() == [-3, 1.5]
