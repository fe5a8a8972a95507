import math

import pytest

from rowloom.model.encodings import PowerOfTwo
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
logarithmic = pytest.importorskip("rowloom.model.quant.logarithmic")


def test_weights_are_the_nearest_power_of_either_sign():
    latent = torch.tensor([0.0, 0.124, 0.125, 0.374, 0.375, 0.74, 0.75, 1.0, 5.0])
    quantizer = logarithmic.PowerOfTwoWeight(3)
    assert quantizer(latent).tolist() == [0, 0, 1, 1, 2, 2, 4, 4, 4]
    assert quantizer(-latent).tolist() == [0, 0, -1, -1, -2, -2, -4, -4, -4]
    assert quantizer.encoding == PowerOfTwo(bits=3, e_min=0, e_max=2, signed=True)


@pytest.mark.parametrize(("bits", "greatest"), [(2, 1), (3, 4), (4, 64)])
def test_every_code_of_a_weight_is_used(bits, greatest):
    quantizer = logarithmic.PowerOfTwoWeight(bits)
    codes = quantizer.encoding.encode(quantizer(torch.linspace(-1, 1, 2001)).numpy())
    assert sorted(set(codes.tolist())) == list(range(quantizer.encoding.code_min, quantizer.encoding.code_max + 1))
    assert quantizer.encoding.max == greatest


def test_weight_gradient_passes_straight_through_and_latent_weights_are_clipped():
    latent = torch.tensor([-2.0, 0.1, 0.9], requires_grad=True)
    quantizer = logarithmic.PowerOfTwoWeight()
    quantizer(latent).backward(torch.tensor([1.0, 2.0, 3.0]))
    assert latent.grad.tolist() == [1, 2, 3]
    quantizer.constrain(latent)
    assert latent[0] == -1


def test_activations_change_half_way_in_the_logarithm():
    quantizer = logarithmic.PowerOfTwoActivation(2, full_scale=4.0)
    assert quantizer.encoding == PowerOfTwo(bits=2, e_min=0, e_max=2, signed=False)
    bounds = torch.tensor([2.0**e / math.sqrt(2) for e in range(3)])
    below = torch.nextafter(bounds, torch.tensor(0.0))
    assert quantizer(bounds).tolist() == [1, 2, 4]
    assert quantizer(below).tolist() == [0, 1, 2]
    assert quantizer(torch.tensor([-9.0, 0.0, 1.0, 2.0, 4.0, 99.0])).tolist() == [0, 0, 1, 2, 4, 4]


def test_activation_gradient_is_that_of_a_clip_in_steps():
    x = torch.tensor([-1.0, 0.1, 1.0, 3.9, 4.5], requires_grad=True)
    logarithmic.PowerOfTwoActivation(3, full_scale=4.0)(x).backward(torch.ones(5))
    assert x.grad.tolist() == [0, 16, 16, 16, 0]


def test_activations_never_fall():
    x = torch.linspace(-1, 6, 100_001)
    y = logarithmic.PowerOfTwoActivation(4)(x)
    assert (y.diff() >= 0).all()


def test_refuses_widths():
    with pytest.raises(RowloomError, match=r"^PowerOfTwo: exponents must be 0 to 47 and ascend"):
        logarithmic.PowerOfTwoActivation(6)
