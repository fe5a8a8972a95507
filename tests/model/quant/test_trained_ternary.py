import pytest

from rowloom.model.encodings import Codebook
from rowloom.model.errors import RowloomError

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
trained = pytest.importorskip("rowloom.model.quant.trained_ternary")

LATENT = [-1.0, -0.06, -0.05, 0.0, 0.05, 0.06, 1.0]


def with_scales(positive, negative, **fields):
    quantizer = trained.TrainedTernaryWeight(**fields)
    with torch.no_grad():
        quantizer.positive.fill_(positive)
        quantizer.negative.fill_(negative)
    return quantizer


@pytest.mark.parametrize(
    ("positive", "negative", "ratio"),
    [
        (1.0, 1.0, (7, 7)),
        (2.0, 1.0, (7, 4)),
        (0.35, 0.6, (4, 7)),
        (1.0, 0.01, (7, 1)),
        (0.9, 1.0, (6, 7)),
        (0.95, 1.0, (7, 7)),
    ],
)
def test_integers_keep_the_ratio_of_the_scales(positive, negative, ratio):
    quantizer = with_scales(positive, negative)
    assert quantizer.ratio == ratio
    assert quantizer.encoding == Codebook((-ratio[1], 0, ratio[0]))
    values = quantizer(torch.tensor(LATENT))
    assert values.tolist() == [-ratio[1], -ratio[1], 0, 0, 0, ratio[0], ratio[0]]
    assert quantizer.encoding.encode(values.detach().numpy()).tolist() == [0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("bits", "ratio"), [(1, (1, 1)), (2, (3, 2)), (3, (7, 4)), (6, (63, 38)), (10, (1023, 614)), (16, (65535, 39321))]
)
def test_bits_are_the_precision_of_the_ratio(bits, ratio):
    quantizer = with_scales(1.0, 0.6, bits=bits)
    assert quantizer.ratio == ratio
    assert quantizer.encoding == Codebook((-ratio[1], 0, ratio[0]))
    assert abs(ratio[1] / ratio[0] - 0.6) <= 0.5 / ratio[0]


def test_gradients_are_those_of_the_paper():
    quantizer = with_scales(2.0, 0.5)
    latent = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], requires_grad=True)
    quantizer(latent).backward(torch.tensor([1.0, 10.0, 100.0, 1000.0, 10000.0]))
    assert latent.grad.tolist() == [0.5, 5, 100, 2000, 20000]
    assert quantizer.positive.grad == 11000
    assert quantizer.negative.grad == -11


def test_scales_stay_positive_and_latent_weights_in_range():
    quantizer = with_scales(-1.0, 0.0)
    latent = torch.nn.Parameter(torch.tensor([-3.0, 3.0]))
    quantizer.constrain(latent)
    assert latent.tolist() == [-1, 1]
    assert quantizer.ratio == (7, 7)


@pytest.mark.parametrize("bits", [0, 17, 2.0])
def test_refuses_bits(bits):
    with pytest.raises(RowloomError, match=rf"^TrainedTernaryWeight: bits must be 1 to 16, not {bits}$"):
        trained.TrainedTernaryWeight(bits)
