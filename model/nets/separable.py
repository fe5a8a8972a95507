"""Networks of depthwise and pointwise convolutions, 8 bits."""

from torch import nn

from rowloom.model.nets.blocks import Style, features, integers, pixels, same


def ds_cnn() -> nn.Sequential:
    """Return the untrained keyword spotter of MLPerf Tiny: 49 x 10 coefficients in, 12 sums out.

    References
    ----------
    Zhang, Suda, Lai, Chandra: Hello Edge, 2017, section 3.6; Banbury et al.: MLPerf Tiny Benchmark, NeurIPS 2021,
    section 4, "keyword spotting".
    """
    style = integers(8)
    padding = (*same(10, 2, 49), *same(4, 2, 10))
    blocks = [layer for _ in range(4) for layer in _separable(style, 25, 64, 64, 1)]
    return nn.Sequential(
        features(),
        style.conv(1, 64, (10, 4), stride=2, padding=padding),
        *blocks,
        style.global_average(64),
        style.last(64, 12),
    )


def mobilenet_025() -> nn.Sequential:
    """Return the untrained MobileNetV1 of a quarter of the width for 96 x 96 x 3 pixels and two classes.

    References
    ----------
    Howard et al.: MobileNets, 2017, table 1; Banbury et al., as above, "visual wake words".
    """
    style = integers(8)
    before, after = same(3, 2, 96)
    layers: list[nn.Module] = [style.conv(3, 8, 3, stride=2, padding=(before, after, before, after))]
    channels, size = 8, 48
    wider = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *(((128, 1),) * 5), (256, 2), (256, 1))
    for filters, stride in wider:
        layers += _separable(style, size, channels, filters, stride)
        channels, size = filters, size // stride
    return nn.Sequential(pixels(), *layers, style.global_average(256), style.last(256, 2))


def _separable(style: Style, size: int, in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """Return a depthwise and a pointwise convolution of a map of ``size`` rows."""
    before, after = same(3, stride, size)
    return [
        style.depthwise(in_channels, stride=stride, padding=(before, after, before, after)),
        style.conv(in_channels, out_channels, 1),
    ]
