import pytest

torch = pytest.importorskip("torch", reason="gradients are torch's")
distance = pytest.importorskip("rowloom.model.quant.distance")


def random_sums(live=None):
    """Integers [2, 5, 7] and weights [3, 5], whose dead taps are zero."""
    torch.manual_seed(0)
    x = torch.randint(-4, 5, (2, 5, 7)).float()
    if live is not None:
        x = x * live
    weights = torch.randint(-4, 5, (3, 5)).float() / 2
    return x.requires_grad_(), weights.requires_grad_()


LIVE = torch.tensor([[True] * 7, [False] + [True] * 6, [True] * 7, [False] * 7, [True, False] * 3 + [True]])


@pytest.mark.parametrize("live", [None, LIVE], ids=["", "dead-taps"])
def test_sums_and_gradients_are_the_paper_s(live):
    """One tap of one window of one filter after the other."""
    x, weights = random_sums(live)
    sums = distance.distance_sums(x, weights, live)
    gradient = torch.randn(2, 3, 7)
    sums.backward(gradient)
    difference = (x[:, None] - weights[None, :, :, None]).detach()
    counted = torch.ones(5, 7) if live is None else live.float()
    assert torch.equal(sums, -(difference.abs() * counted).sum(dim=2))
    each = gradient[:, :, None] * counted
    torch.testing.assert_close(weights.grad, (each * difference).sum(dim=(0, 3)))
    torch.testing.assert_close(x.grad, (each * -difference.clamp(-1, 1)).sum(dim=1))
    assert (difference.abs() == 0.5).any(), "a gradient that is not clipped"


def test_descends():
    """A step against the gradients brings filter and window nearer to each other."""
    x, weights = random_sums()
    (-distance.distance_sums(x, weights)).sum().backward()
    with torch.no_grad():
        before = distance.distance_sums(x, weights).sum()
        assert distance.distance_sums(x - 0.1 * x.grad, weights).sum() > before
        assert distance.distance_sums(x, weights - 0.01 * weights.grad).sum() > before


def test_no_gradient_that_is_not_asked_for():
    x, weights = random_sums()
    distance.distance_sums(x.detach(), weights).sum().backward()
    assert weights.grad is not None
    distance.distance_sums(x, weights.detach()).sum().backward()
    assert x.grad is not None
