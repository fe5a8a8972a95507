import numpy as np
import pytest

from rowloom.model.encodings import DoReFa, Uniform
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
dorefa = pytest.importorskip("rowloom.model.quant.dorefa")


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_weights_are_the_papers_formula_in_integers(k):
    torch.manual_seed(0)
    latent = torch.randn(500)
    quantizer = dorefa.DoReFaWeight(k)
    values = quantizer(latent)
    squashed = np.tanh(latent.numpy().astype(np.float64))
    levels = 2**k - 1
    real = 2 * np.round(levels * (squashed / (2 * np.abs(squashed).max()) + 0.5)) / levels - 1
    np.testing.assert_allclose(values.numpy() / levels, real, atol=1e-12)
    assert quantizer.encoding == DoReFa(k)
    codes = quantizer.encoding.encode(values.numpy())
    assert sorted(set(codes.tolist())) == list(range(2**k))


def test_weights_of_zero_are_codes_too():
    quantizer = dorefa.DoReFaWeight(2)
    quantizer.encoding.encode(quantizer(torch.zeros(4)).numpy())


def test_weight_gradient_ignores_the_rounding():
    latent = torch.tensor([0.5, -0.25, 1.0], requires_grad=True)
    dorefa.DoReFaWeight(2)(latent)[:2].sum().backward()
    smooth = latent.detach().clone().requires_grad_()
    squashed = torch.tanh(smooth)
    (3 * squashed / squashed.abs().max())[:2].sum().backward()
    torch.testing.assert_close(latent.grad, smooth.grad)


def test_activations_round_half_to_even_after_a_clip():
    quantizer = dorefa.DoReFaActivation(1)
    assert quantizer(torch.tensor([-3.0, 0.49, 0.5, 0.51, 7.0])).tolist() == [0, 0, 0, 1, 1]
    quantizer = dorefa.DoReFaActivation(2)
    assert quantizer(torch.tensor([-3.0, 0.16, 0.17, 0.5, 0.84, 7.0])).tolist() == [0, 0, 1, 2, 3, 3]
    assert quantizer.encoding == Uniform(bits=2, signed=False)


def test_activation_gradient_is_that_of_the_clip_in_steps():
    x = torch.tensor([-0.5, 0.2, 0.9, 1.5], requires_grad=True)
    dorefa.DoReFaActivation(3)(x).backward(torch.ones(4))
    assert x.grad.tolist() == [0, 7, 7, 0]


def test_refuses_widths():
    with pytest.raises(RowloomError, match=r"^DoReFa: k must be 1 to 8, not 9$"):
        dorefa.DoReFaWeight(9)
    with pytest.raises(RowloomError, match=r"^Uniform: bits must be 1 to 48, not 0$"):
        dorefa.DoReFaActivation(0)
