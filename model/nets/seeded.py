"""Networks with random weights, whose batch norms are calibrated so that every layer uses its codes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rowloom.model import zoo
from rowloom.model.lowering import lower
from rowloom.model.nets import branched, dense, plain, residual, separable
from rowloom.model.nets.blocks import BINARY, LATENT, TERNARY
from rowloom.model.nets.threads import one_thread
from rowloom.model.network import Network
from rowloom.model.nn import BatchNorm, Input, Weighted

CALIBRATED = 32
"""Images that batch norms take their statistics from."""

FASHION = "fashion-bnn"
"""Whose images calibrate networks for 28 x 28 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A network that is made from a seed.

    Parameters
    ----------
    description : str
        One line for ``rowloom train --list``, and for ``about``.
    module : function
        Returns the module with random weights.
    shape : (int, int, int)
        H, W, C of the input.
    fashion : bool
        Whether calibration takes the images that ship, which must have that shape, instead of random codes.
    """

    description: str
    module: Callable[[], nn.Sequential]
    shape: tuple[int, int, int]
    fashion: bool = False

    def images(self, seed: int) -> NDArray[np.integer]:
        """Return the codes [N, H, W, C] to calibrate with."""
        if self.fashion:
            return zoo.images(FASHION)
        shape = (CALIBRATED, *self.shape)
        return np.random.default_rng(seed).integers(0, 255, shape, endpoint=True)

    def make(self, seed: int) -> nn.Sequential:
        """Return the calibrated module; the same seed gives the same one."""
        torch.manual_seed(seed)
        module = self.module()
        for block in module.modules():
            if isinstance(block, Weighted):
                # As trained weights are: few of them are large, and three deviations the greatest.
                nn.init.normal_(block.latent, std=LATENT / 3)
        source = module[0]
        assert isinstance(source, Input)
        values = source.encoding.decode(self.images(seed)) * source.scale
        calibrate(module, torch.from_numpy(values).permute(0, 3, 1, 2))
        return module

    def network(self, name: str, seed: int) -> Network:
        """Return the integer network; the same seed gives the same one."""
        with one_thread():
            module = self.make(seed)
            height, width, channels = self.shape
            about: dict[str, str | float] = {
                "recipe": name,
                "seed": seed,
                "description": self.description,
                "weights": f"random; batch norms calibrated on {CALIBRATED} images, "
                + ("those of Fashion-MNIST that ship" if self.fashion else "random ones"),
            }
            return lower(module, torch.zeros(1, channels, height, width), name=name, about=about)


@torch.no_grad()
def calibrate(module: nn.Module, images: Tensor) -> None:
    """Give every batch norm the mean and the variance of its sums of ``images`` [N, C, H, W]; ends in evaluation.

    In training each norm normalizes by the batch itself, so one pass gives every layer the input that it will have.
    """
    norms = [each for each in module.modules() if isinstance(each, BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    module.train()
    module(images)
    module.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


SEEDED: dict[str, Seeded] = {
    "sfc-w1a1": Seeded(
        description="FINN's SFC: three binary dense layers of 256, 28 x 28 pixels",
        module=lambda: dense.perceptron(256),
        shape=(28, 28, 1),
        fashion=True,
    ),
    "lfc-w1a1": Seeded(
        description="FINN's LFC: three binary dense layers of 1024, 28 x 28 pixels",
        module=lambda: dense.perceptron(1024),
        shape=(28, 28, 1),
        fashion=True,
    ),
    "cnv-w1a1": Seeded(
        description="FINN's CNV, binary, 32 x 32 x 3 pixels", module=lambda: plain.cnv(BINARY), shape=(32, 32, 3)
    ),
    "cnv-w2a2": Seeded(
        description="FINN's CNV, ternary weights and 2-bit activations, 32 x 32 x 3 pixels",
        module=lambda: plain.cnv(TERNARY),
        shape=(32, 32, 3),
    ),
    "vgg-small": Seeded(description="VGG-small, binary, 32 x 32 x 3 pixels", module=plain.vgg_small, shape=(32, 32, 3)),
    "resnet8": Seeded(
        description="ResNet-8 of MLPerf Tiny, 8 bits, 32 x 32 x 3 pixels", module=residual.resnet8, shape=(32, 32, 3)
    ),
    "resnet20": Seeded(
        description="ResNet-20, 4 bits, 32 x 32 x 3 pixels", module=residual.resnet20, shape=(32, 32, 3)
    ),
    "ds-cnn": Seeded(
        description="DS-CNN of MLPerf Tiny (keyword spotting), 8 bits, 49 x 10 coefficients",
        module=separable.ds_cnn,
        shape=(49, 10, 1),
    ),
    "mobilenet-025": Seeded(
        description="MobileNetV1-0.25 of MLPerf Tiny (visual wake words), 8 bits, 96 x 96 x 3 pixels",
        module=separable.mobilenet_025,
        shape=(96, 96, 3),
    ),
    "shufflenet-unit": Seeded(
        description="three units of ShuffleNet, 8 bits, 32 x 32 x 3 pixels",
        module=branched.shufflenet_unit,
        shape=(32, 32, 3),
    ),
    "squeezenet-fire": Seeded(
        description="two fire modules of SqueezeNet, 8 bits, 32 x 32 x 3 pixels",
        module=branched.squeezenet_fire,
        shape=(32, 32, 3),
    ),
    "autoencoder": Seeded(
        description="autoencoder of MLPerf Tiny (anomaly detection), 8 bits, 640 features",
        module=dense.autoencoder,
        shape=(1, 1, 640),
    ),
    "peer-cnn": Seeded(
        description="two convolutions and a dense layer, 8 bits, 28 x 28 pixels",
        module=plain.peer_cnn,
        shape=(28, 28, 1),
        fashion=True,
    ),
}
"""Every such network by its name."""
