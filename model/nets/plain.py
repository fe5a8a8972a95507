"""Chains of convolutions and dense layers."""

from torch import nn

from rowloom.model.nets.blocks import BINARY, Style, integers, pixels
from rowloom.model.nn import MaxPool2d


def lenet5() -> nn.Sequential:
    """Return the untrained LeNet-5 for 28 x 28 pixels, padded to its 32 x 32; max pools and rectifiers, 8 bits.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition, 1998, section II.B; C3
    sees all maps of S2, pools take the maximum.
    """
    style = integers(8)
    return nn.Sequential(
        pixels(),
        style.conv(1, 6, 5, padding=2, pool=MaxPool2d(2)),
        style.conv(6, 16, 5, pool=MaxPool2d(2)),
        style.dense(5 * 5 * 16, 120),
        style.dense(120, 84),
        style.last(84, 10),
    )


def peer_cnn() -> nn.Sequential:
    """Return the untrained 8-bit network of two convolutions and a dense layer: 1,031,744 multiply-accumulates."""
    style = integers(8)
    return nn.Sequential(
        pixels(),
        style.conv(1, 16, 3, padding=1, pool=MaxPool2d(2)),
        style.conv(16, 32, 3, padding=1, pool=MaxPool2d(2)),
        style.last(7 * 7 * 32, 10),
    )


def cnv(style: Style) -> nn.Sequential:
    """Return the untrained CNV for 32 x 32 x 3 pixels.

    References
    ----------
    Umuroglu et al.: FINN, FPGA 2017, table 2 and section 4.1.
    """
    return nn.Sequential(
        pixels(),
        style.conv(3, 64, 3),
        style.conv(64, 64, 3, pool=MaxPool2d(2)),
        style.conv(64, 128, 3),
        style.conv(128, 128, 3, pool=MaxPool2d(2)),
        style.conv(128, 256, 3),
        style.conv(256, 256, 3),
        style.dense(256, 512),
        style.dense(512, 512),
        style.last(512, 10),
    )


def vgg_small() -> nn.Sequential:
    """Return the untrained binary VGG-small for 32 x 32 x 3 pixels: six convolutions, one dense layer.

    References
    ----------
    Courbariaux, Hubara, Soudry, El-Yaniv, Bengio: Binarized Neural Networks, 2016, section 2.1, with the one dense
    layer of Qin et al.: IR-Net, CVPR 2020, section 4.
    """
    return nn.Sequential(
        pixels(),
        *(
            BINARY.conv(before, after, 3, padding=1, pool=MaxPool2d(2) if pooled else None)
            for before, after, pooled in (
                (3, 128, False),
                (128, 128, True),
                (128, 256, False),
                (256, 256, True),
                (256, 512, False),
                (512, 512, True),
            )
        ),
        BINARY.last(4 * 4 * 512, 10),
    )
