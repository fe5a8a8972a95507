"""Thresholds that equal a float function on every integer that a sum can be."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rowloom.model import bisection
from rowloom.model.encodings import Encoding
from rowloom.model.post import Thresholds


def find_thresholds(
    subject: str,
    function: Callable[[Tensor], Tensor],
    encoding: Encoding,
    lows: list[int],
    highs: list[int],
) -> Thresholds:
    """Return thresholds that equal an elementwise float function on every integer in lows[m] to highs[m].

    The function maps sums [K, M, 1, 1] to values of ``encoding``; see
    :func:`rowloom.model.bisection.find_thresholds`.

    Raises
    ------
    RowloomError
        If the function is not monotone in a channel.
    """

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the codes [K, M] of sums [K, M]."""
        values = function(torch.from_numpy(sums.astype(np.float32))[:, :, None, None])
        return codes_of(encoding, values)[:, :, 0, 0].astype(np.int64)

    return bisection.find_thresholds(subject, codes, encoding, lows, highs)


def codes_of(encoding: Encoding, values: Tensor) -> NDArray[np.integer]:
    """Return the codes of values."""
    return encoding.encode(values.detach().cpu().numpy())
