import numpy as np
import pytest

from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="layers to train with are torch modules")
nn = pytest.importorskip("rowloom.model.nn")
uniform = pytest.importorskip("rowloom.model.quant.uniform")
functional = torch.nn.functional


def values(*shape, seed=0):
    torch.manual_seed(seed)
    return torch.randint(0, 16, shape).float()


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((3, 5), (1, 2), (1, 2)), (4, 1, 2)]
)
def test_sums_are_integers_and_scale_makes_them_torchs_average(kernel, stride, padding, count_include_pad):
    layer = nn.AveragePool2d(kernel, stride=stride, padding=padding, count_include_pad=count_include_pad)
    x = values(3, 4, 9, 11)
    sums = layer(x)
    assert torch.equal(sums, sums.round())
    expected = functional.avg_pool2d(x.double(), kernel, stride, padding, count_include_pad=count_include_pad)
    torch.testing.assert_close(sums.double() / layer.scale((9, 11, 4)), expected)


def test_padding_may_differ_on_every_side():
    layer = nn.AveragePool2d(3, stride=1, padding=(2, 0, 1, 0))
    ones = layer(torch.ones(1, 1, 4, 4)) / layer.scale((4, 4, 1))
    assert torch.equal(ones, torch.ones(1, 1, 4, 3))
    pool = nn.MaxPool2d(3, stride=1, padding=(2, 0, 1, 0))
    x = values(2, 3, 4, 4) - 20
    padded = functional.pad(x, (1, 0, 2, 0), value=float("-inf"))
    assert torch.equal(pool(x), functional.max_pool2d(padded, 3, 1))


def test_global_average_quantizes_the_average():
    quantizer = uniform.UniformActivation(4, full_scale=15.0)
    x = values(5, 6, 7, 3)
    y = nn.GlobalAveragePool2d(activation=quantizer)(x)
    assert y.shape == (5, 6, 1, 1)
    assert torch.equal(y, torch.round(x.sum(dim=(2, 3), keepdim=True) / 21))


def test_gradients_are_those_of_an_average():
    x = values(2, 3, 6, 6).requires_grad_()
    layer = nn.AveragePool2d(2, activation=uniform.UniformActivation(8, full_scale=255.0))
    layer(x).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 0.25, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.AveragePool2d((2, 2, 2)), r"^kernel: must be an integer or a pair of them, not \(2, 2, 2\)$"),
        (lambda: nn.MaxPool2d(2, stride=1.5), r"^stride: must be "),
        (lambda: nn.MaxPool2d(2, padding=(1, 2, 3)), r"^padding: must be an integer, a pair or four of them, not "),
        (
            lambda: nn.GlobalAveragePool2d()(torch.zeros(2, 3)),
            r"^average pool: takes maps \[N, C, H, W\], not \(2, 3\)$",
        ),
    ],
)
def test_refuses(make, message):
    with pytest.raises(RowloomError, match=message):
        make()
