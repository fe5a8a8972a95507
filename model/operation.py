"""What a weighted layer sums."""

from enum import Enum


class Operation(Enum):
    """What a tap of value x makes of its weight w.

    References
    ----------
    Chen, Wang, Xu, Shi, Xu, Tian, Xu: AdderNet: Do We Really Need Multiplications in Deep Learning?, CVPR 2020,
    section 3.1, equation 2, for the adder. Its zero padding is ``pad_value=0`` of a convolution: a padded tap then
    contributes -abs(w). By default a padded tap contributes zero, as it does to a sum of products.
    """

    MULTIPLY = "multiply"
    """x * w."""

    ADDER = "adder"
    """-abs(x - w)."""
