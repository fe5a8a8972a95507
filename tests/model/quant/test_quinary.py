import pytest

from rowloom.model.encodings import Quinary

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
quinary = pytest.importorskip("rowloom.model.quant.quinary")


def test_five_levels_on_a_step_of_the_mean_magnitude():
    # Mean magnitude 1: levels change at 0.45 and 1.35.
    latent = torch.tensor([0.44, -0.46, 1.34, -1.36, 0.0, 2.4])
    assert latent.abs().mean() == pytest.approx(1)
    quantizer = quinary.QuinaryWeight()
    assert quantizer(latent).tolist() == [0, -1, 1, -2, 0, 2]
    assert quantizer.encoding == Quinary()


def test_all_levels_occur_whatever_the_scale():
    torch.manual_seed(0)
    latent = torch.randn(1000)
    quantizer = quinary.QuinaryWeight()
    values = quantizer(latent)
    assert set(Quinary().encode(values.numpy()).tolist()) == {-2, -1, 0, 1, 2}
    assert torch.equal(quantizer(latent / 16), values)
    assert not quantizer(torch.zeros(3)).any()


def test_gradient_passes_straight_through_and_latent_weights_are_clipped():
    latent = torch.tensor([-2.0, 0.1, 0.9], requires_grad=True)
    quantizer = quinary.QuinaryWeight()
    quantizer(latent).backward(torch.tensor([1.0, 2.0, 3.0]))
    assert latent.grad.tolist() == [1, 2, 3]
    quantizer.constrain(latent)
    assert latent[0] == -1
