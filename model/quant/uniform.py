"""Weights and activations on equal steps whose size is trained."""

import math

import torch
from torch import Tensor, nn

from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.quant.quantizer import Quantizer
from rowloom.model.quant.straight_through import straight_through


class _TrainedStep(Quantizer):
    """round-half-even(x / step), clipped to ``low`` to ``high``; the gradient is that of the clip.

    What is trained is the logarithm of the step, so that it stays positive and an optimizer's step changes it in
    proportion. Values are not multiplied by the step again: norm and thresholds absorb it.
    """

    def __init__(self, encoding: Uniform, low: int, high: int, full_scale: float) -> None:
        super().__init__()
        if not full_scale > 0:
            raise RowloomError(type(self).__name__, f"full_scale must be above 0, not {full_scale!r}")
        self._encoding = encoding
        self._low = low
        self._high = high
        self.log_step = nn.Parameter(torch.tensor(math.log(full_scale / high)))

    @property
    def encoding(self) -> Encoding:
        """Uniform with zero point 0."""
        return self._encoding

    def forward(self, x: Tensor) -> Tensor:
        """Return integers."""
        # A product with one rounded number is monotone, and the same for every shape and memory layout.
        scaled = (x * torch.exp(-self.log_step)).clamp(self._low, self._high)
        return straight_through(scaled, torch.round(scaled))


class UniformWeight(_TrainedStep):
    """Signed integers of at most 2^(bits - 1) - 1 in magnitude, on a trained step.

    Parameters
    ----------
    bits : int
        Width of a code, 2 to 16.
    full_scale : float
        The latent weight that is the greatest integer before training.

    References
    ----------
    Esser, McKinstry, Bablani, Appuswamy, Modha: Learned Step Size Quantization, ICLR 2020, section 2, equations 1 to 3,
    with the step's logarithm trained in place of a scaled gradient.
    """

    def __init__(self, bits: int, full_scale: float = 1.0) -> None:
        if type(bits) is not int or not 2 <= bits <= 16:
            raise RowloomError("UniformWeight", f"bits must be 2 to 16, not {bits!r}")
        limit = (1 << (bits - 1)) - 1
        super().__init__(Uniform(bits=bits, signed=True), -limit, limit, full_scale)


class UniformActivation(_TrainedStep):
    """0 to 2^bits - 1 on a trained step: a rectifier with a trained ceiling.

    Parameters
    ----------
    bits : int
        Width of a code, 1 to 16.
    full_scale : float
        The activation that is the greatest integer before training.

    References
    ----------
    Choi, Wang, Venkataramani, Chuang, Srinivasan, Gopalakrishnan: PACT, 2018, section 3, equations 1 and 2; Esser et
    al., as above, for the gradient below the ceiling.
    """

    def __init__(self, bits: int, full_scale: float = 2.0) -> None:
        if type(bits) is not int or not 1 <= bits <= 16:
            raise RowloomError("UniformActivation", f"bits must be 1 to 16, not {bits!r}")
        limit = (1 << bits) - 1
        super().__init__(Uniform(bits=bits, signed=False), 0, limit, full_scale)


class CenteredActivation(_TrainedStep):
    """-2^(bits - 1) to 2^(bits - 1) - 1 on a trained step, with no rectifier: what a branch gives before an addition.

    Codes are unsigned, with a zero point, so that the accelerator adds such a map to a rectified one of equal width.

    Parameters
    ----------
    bits : int
        Width of a code, 2 to 16.
    full_scale : float
        The activation that is the greatest integer before training.

    References
    ----------
    Jacob et al.: Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR
    2018, section 2.1, with the zero point in the middle.
    """

    def __init__(self, bits: int, full_scale: float = 2.0) -> None:
        if type(bits) is not int or not 2 <= bits <= 16:
            raise RowloomError("CenteredActivation", f"bits must be 2 to 16, not {bits!r}")
        half = 1 << (bits - 1)
        super().__init__(Uniform(bits=bits, signed=False, zero_point=half), -half, half - 1, full_scale)
