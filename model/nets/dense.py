"""Networks without convolutions: FINN's multilayer perceptrons and the autoencoder of MLPerf Tiny."""

from itertools import pairwise

from torch import nn

from rowloom.model.nets.blocks import BINARY, features, integers, pixels
from rowloom.model.nn import Add
from rowloom.model.quant.binary import BinaryActivation


def perceptron(width: int) -> nn.Sequential:
    """Return an untrained TFC (64), SFC (256) or LFC (1024): three binary layers of that width, and ten sums.

    The first step makes pixels binary: -1 below their mean, else +1.

    References
    ----------
    Umuroglu et al.: FINN, FPGA 2017, table 2 (SFC, LFC); TFC as in Xilinx/brevitas, examples/bnn_pynq.
    """
    return nn.Sequential(
        pixels(),
        Add((1,), activation=BinaryActivation(), channels=1),
        BINARY.dense(28 * 28, width),
        BINARY.dense(width, width),
        BINARY.dense(width, width),
        BINARY.last(width, 10),
    )


def autoencoder() -> nn.Sequential:
    """Return the untrained anomaly detector: 640 signed features [N, 640, 1, 1] in, 640 sums out, 8 in the middle.

    References
    ----------
    Banbury et al.: MLPerf Tiny Benchmark, NeurIPS 2021, section 4, "anomaly detection".
    """
    style = integers(8)
    widths = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)
    return nn.Sequential(
        features(),
        *(style.dense(before, after) for before, after in pairwise(widths)),
        style.last(128, 640),
    )
