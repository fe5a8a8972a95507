"""Small networks of the units of ShuffleNet and SqueezeNet, 8 bits, for 32 x 32 x 3 pixels."""

from torch import Tensor, nn

from rowloom.model.nets.blocks import Style, integers, pixels
from rowloom.model.nn import Concat, GlobalAveragePool2d, MaxPool2d


class Shuffle(nn.Module):
    """A unit of ShuffleNet: grouped 1 x 1, shuffle, depthwise 3 x 3, grouped 1 x 1, beside a shortcut.

    With stride 1 both are added; with stride 2 the shortcut is an average pool and both are concatenated.

    References
    ----------
    Zhang, Zhou, Lin, Sun: ShuffleNet, CVPR 2018, section 3.2, figure 2 (b) and (c).
    """

    def __init__(self, style: Style, channels: int, out_channels: int, groups: int, *, stride: int) -> None:
        super().__init__()
        middle = out_channels // 4
        self.stride = stride
        self.squeeze = style.conv(channels, middle, 1, groups=groups)
        self.shuffle = nn.ChannelShuffle(groups)
        self.depthwise = style.depthwise(middle, stride=stride, centered=True)
        added = stride == 1
        self.expand = style.conv(
            middle, out_channels if added else out_channels - channels, 1, groups=groups, centered=added
        )
        self.pool = None if added else style.average(3, stride=2, padding=1, count_include_pad=True)
        self.join = style.join((1, 2)) if added else Concat()

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        branch = self.expand(self.depthwise(self.shuffle(self.squeeze(x))))
        joined: Tensor = self.join(x if self.pool is None else self.pool(x), branch)
        return joined


def shufflenet_unit() -> nn.Sequential:
    """Return an untrained network of one unit of stride 2 and two of stride 1, of three groups."""
    style = integers(8)
    return nn.Sequential(
        pixels(),
        style.conv(3, 24, 3, stride=2, padding=(0, 1, 0, 1)),
        Shuffle(style, 24, 48, 3, stride=2),
        Shuffle(style, 48, 48, 3, stride=1),
        Shuffle(style, 48, 48, 3, stride=1),
        style.global_average(48),
        style.last(48, 10),
    )


class Fire(nn.Module):
    """A fire module: 1 x 1 squeezes, then 1 x 1 and 3 x 3 side by side expand.

    References
    ----------
    Iandola et al.: SqueezeNet, 2016, section 3.2.
    """

    def __init__(self, style: Style, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = style.conv(channels, squeezed, 1)
        self.narrow = style.conv(squeezed, expanded, 1)
        self.wide = style.conv(squeezed, expanded, 3, padding=1)
        self.join = Concat()

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of both expansions."""
        squeezed = self.squeeze(x)
        joined: Tensor = self.join(self.narrow(squeezed), self.wide(squeezed))
        return joined


def squeezenet_fire() -> nn.Sequential:
    """Return an untrained network of two fire modules with a pool between them."""
    style = integers(8)
    return nn.Sequential(
        pixels(),
        style.conv(3, 32, 3, stride=2, padding=(0, 1, 0, 1), pool=MaxPool2d(2)),
        Fire(style, 32, 8, 32),
        MaxPool2d(2),
        Fire(style, 64, 16, 64),
        style.conv(128, 10, 1),
        GlobalAveragePool2d(),
    )
