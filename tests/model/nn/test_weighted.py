import pytest

torch = pytest.importorskip("torch", reason="layers to train with are torch modules")
nn = pytest.importorskip("rowloom.model.nn")
uniform = pytest.importorskip("rowloom.model.quant.uniform")


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize(
    ("kernel", "fields"),
    [
        (3, {"padding": 1}),
        ((10, 4), {"stride": 2, "padding": (5, 1)}),
        ((1, 5), {"stride": (1, 2), "padding": (0, 0, 3, 1), "dilation": (1, 2)}),
        ((2, 3), {"padding": (0, 1, 2, 0)}),
    ],
)
@pytest.mark.parametrize("kind", ["Conv2d", "AdderConv2d"])
def test_any_kernel_stride_padding_and_dilation(kind, kernel, fields, groups):
    torch.manual_seed(1)
    layer = getattr(nn, kind)(6, 12, kernel, weight=uniform.UniformWeight(4, 0.5), groups=groups, **fields)
    x = torch.randint(-7, 8, (2, 6, 12, 11)).float()
    top, bottom, left, right = layer.padding
    # As a convolution of windows: what torch unfolds, in float64.
    padded = torch.nn.functional.pad(x, (left, right, top, bottom)).double()
    live = torch.nn.functional.pad(torch.ones_like(x), (left, right, top, bottom)).double()
    kernel = tuple(layer.latent.shape[2:])
    taps, valid = (torch.nn.functional.unfold(each, kernel, layer.dilation, 0, layer.stride) for each in (padded, live))
    weights = layer.weight(layer.latent).detach().double().flatten(1)
    expected = []
    for m, weight in enumerate(weights):
        size = len(weight)
        start = m // (12 // groups) * size
        window, here = taps[:, start : start + size], valid[:, start : start + size]
        terms = window * weight[:, None] if kind == "Conv2d" else -(window - weight[:, None]).abs() * here
        expected.append(terms.sum(dim=1))
    y = layer(x).detach().double()
    assert torch.equal(y.flatten(2), torch.stack(expected, dim=1))
