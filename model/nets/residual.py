"""Networks with shortcuts."""

from torch import Tensor, nn

from rowloom.model.nets.blocks import Style, integers, pixels, same


class Basic(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a 1 x 1 convolution where the shape changes.

    A rectified map has twice the codes per unit of one that may be negative, hence the multipliers.

    References
    ----------
    He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016, sections 3.2 and 3.3, option B.
    """

    def __init__(self, style: Style, size: int, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        before, after = same(3, stride, size)
        self.first = style.conv(in_channels, out_channels, 3, stride=stride, padding=(before, after, before, after))
        self.second = style.conv(out_channels, out_channels, 3, padding=1, centered=True)
        changes = stride > 1 or in_channels != out_channels
        self.shortcut = style.conv(in_channels, out_channels, 1, stride=stride, centered=True) if changes else None
        self.join = style.join((1, 1) if changes else (1, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the rectified sum of both branches."""
        branch = self.second(self.first(x))
        joined: Tensor = self.join(x if self.shortcut is None else self.shortcut(x), branch)
        return joined


def _cifar(style: Style, blocks: int) -> nn.Sequential:
    """Return a network for 32 x 32 x 3 pixels with three stages of 16, 32 and 64 channels, of so many blocks each."""
    stages: list[nn.Module] = []
    before, size = 16, 32
    for channels in (16, 32, 64):
        for block in range(blocks):
            stride = 2 if block == 0 and channels > 16 else 1
            stages.append(Basic(style, size, before, channels, stride))
            before, size = channels, size // stride
    return nn.Sequential(
        pixels(), style.conv(3, 16, 3, padding=1), *stages, style.global_average(64), style.last(64, 10)
    )


def resnet8() -> nn.Sequential:
    """Return the untrained ResNet-8 of MLPerf Tiny, 8 bits.

    References
    ----------
    Banbury et al.: MLPerf Tiny Benchmark, NeurIPS 2021, section 4, "image classification".
    """
    return _cifar(integers(8), 1)


def resnet20() -> nn.Sequential:
    """Return the untrained ResNet-20 for CIFAR-10, 4 bits.

    References
    ----------
    He et al., as above, section 4.2, with 1 x 1 convolutions where the shape changes.
    """
    return _cifar(integers(4), 3)
