import pytest

torch = pytest.importorskip("torch", reason="quantizers are torch modules")
estimator = pytest.importorskip("rowloom.model.quant.straight_through")


def test_values_forward_exactly_and_gradients_back():
    # x + (values - x) would not give 1 here.
    x = torch.tensor([1e8, -0.3], requires_grad=True)
    values = torch.tensor([1.0, -1.0])
    y = estimator.straight_through(x * 2, values)
    assert y.tolist() == [1, -1]
    y.backward(torch.tensor([3.0, 4.0]))
    assert x.grad.tolist() == [6, 8]
    assert values.tolist() == [1, -1]
