import math

import pytest

from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
uniform = pytest.importorskip("rowloom.model.quant.uniform")


def with_step(quantizer, step):
    with torch.no_grad():
        quantizer.log_step.fill_(math.log(step))
    return quantizer


def test_weights_are_narrow_and_signed():
    quantizer = with_step(uniform.UniformWeight(4), 1.0)
    assert quantizer(torch.tensor([-99.0, -7.0, -0.5, 0.5, 1.5, 99.0])).tolist() == [-7, -7, 0, 0, 2, 7]
    assert quantizer.encoding == Uniform(bits=4, signed=True)


def test_activations_are_rectified():
    quantizer = with_step(uniform.UniformActivation(2), 1.0)
    assert quantizer(torch.tensor([-9.0, 0.5, 1.5, 2.5, 9.0])).tolist() == [0, 0, 2, 2, 3]
    assert quantizer.encoding == Uniform(bits=2, signed=False)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_full_scale_is_the_greatest_integer(bits):
    weight, activation = uniform.UniformWeight(bits, 0.5), uniform.UniformActivation(bits, 3.0)
    assert weight(torch.tensor([0.5, -0.5])).tolist() == [weight.encoding.max, -weight.encoding.max]
    assert activation(torch.tensor(3.0)) == activation.encoding.max


def test_gradients_are_those_of_the_clip():
    quantizer = with_step(uniform.UniformActivation(2), 0.5)
    x = torch.tensor([-1.0, 0.4, 1.2, 7.0], requires_grad=True)
    quantizer(x).backward(torch.tensor([1.0, 10.0, 100.0, 1000.0]))
    assert x.grad.tolist() == pytest.approx([0, 20, 200, 0])
    # d(x / step) / d(log step) = -x / step, where nothing is clipped.
    assert quantizer.log_step.grad.item() == pytest.approx(-(10 * 0.4 + 100 * 1.2) / 0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uniform.UniformWeight(1), r"^UniformWeight: bits must be 2 to 16, not 1$"),
        (lambda: uniform.UniformWeight(17), r"^UniformWeight: bits must be 2 to 16, not 17$"),
        (lambda: uniform.UniformActivation(0), r"^UniformActivation: bits must be 1 to 16, not 0$"),
        (lambda: uniform.UniformActivation(2.0), r"^UniformActivation: bits must be 1 to 16, not 2\.0$"),
        (lambda: uniform.UniformActivation(2, 0.0), r"^UniformActivation: full_scale must be above 0, not 0\.0$"),
        (lambda: uniform.UniformWeight(2, -1.0), r"^UniformWeight: full_scale must be above 0, not -1\.0$"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(RowloomError, match=message):
        make()
