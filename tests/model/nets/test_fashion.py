import pytest

torch = pytest.importorskip("torch", reason="networks to train are torch modules")
fashion = pytest.importorskip("rowloom.model.nets.fashion")


def test_sums_out_and_weight_bits():
    module = fashion.fashion_bnn()
    assert module(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert sum(layer.latent.numel() for layer in module if hasattr(layer, "latent")) == 49_248
