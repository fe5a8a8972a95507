"""Post-operations: how a layer's sums become codes. None stands for raw sums out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thresholds:
    """Any monotone function of a sum, per channel: the exact form of norm + activation + quantizer.

    code = code_min + #{ n : direction * sum >= values[m, n] }, with code_min and the number of
    thresholds N = code_max - code_min taken from the output's encoding. A threshold that is never
    (or always) reached is any integer outside of what direction * sum can be.

    Parameters
    ----------
    values : int64 [M, N]
        Ascending along N; equal neighbours are a code that is skipped.
    direction : int8 [M]
        +1 for a function that rises with the sum, -1 for one that falls.
    """

    values: NDArray[np.int64]
    direction: NDArray[np.int8]

    def __post_init__(self) -> None:
        values = frozen_integers(self.values, dtype=np.int64, ndim=2, subject="thresholds")
        if np.any(values[:, 1:] < values[:, :-1]):
            raise RowloomError("thresholds", "values must ascend along their last axis")
        direction = frozen_integers(self.direction, dtype=np.int8, ndim=1, subject="thresholds' direction")
        if len(direction) != len(values):
            raise RowloomError("thresholds", f"direction must have {len(values)} entries, not {len(direction)}")
        if not np.isin(direction, (-1, 1)).all():
            raise RowloomError("thresholds", "direction must be -1 or +1 for every channel")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "direction", direction)

    @classmethod
    def ranks(cls, values: NDArray[np.int64], channels: int) -> "Thresholds":
        """Return those that turn each of ascending values into the code of its rank, alike in all channels."""
        return cls(values=np.tile(values[1:], (channels, 1)), direction=np.ones(channels, np.int8))

    @classmethod
    def of_codes(cls, values: NDArray[np.int64], codes: NDArray[np.int64], encoding: Encoding) -> "Thresholds":
        """Return those that turn each of ascending values [K] into its code [M, K] of ``encoding``.

        Codes must rise, or fall, with the value in every channel.
        """
        falling = codes[:, 0] > codes[:, -1]
        ends = {False: np.append(values, values[-1] + 1), True: np.append(-values[::-1], 1 - values[0])}
        wanted = encoding.every_code[1:]
        places = [
            np.searchsorted(row[::-1] if falls else row, wanted) for row, falls in zip(codes, falling, strict=True)
        ]
        found = [ends[bool(falls)][place] for place, falls in zip(places, falling, strict=True)]
        return cls(values=np.array(found), direction=np.where(falling, -1, 1).astype(np.int8))

    def check(self, subject: str, encoding: Encoding, lows: list[int], highs: list[int]) -> None:
        """Raise RowloomError unless this serves sums in lows[m] to highs[m] and ``encoding``."""
        _check_channels(subject, "thresholds", len(self.values), len(lows))
        levels = encoding.code_max - encoding.code_min
        if self.values.shape[1] != levels:
            raise RowloomError(
                subject,
                f"has {self.values.shape[1]} thresholds a channel",
                f"{encoding} needs {levels}",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Requantize:
    """Scale by a fixed-point number a channel: the integer-arithmetic-only form.

    code = clamp(multiply_by_quantized_multiplier(sum, multiplier[m], shift[m])
    + output_zero_point) to the output encoding's codes; bit for bit as
    :func:`rowloom.model.arith.requantize`.

    Parameters
    ----------
    multiplier : int64 [M]
        0 to 2^31 - 1, with 31 fraction bits.
    shift : int64 [M]
        -31 to 30; left if positive.
    output_zero_point : int
        The output code that means 0.

    References
    ----------
    Jacob et al., CVPR 2018, section 2.2.
    """

    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]
    output_zero_point: int = 0

    def __post_init__(self) -> None:
        multiplier = frozen_integers(self.multiplier, dtype=np.int64, ndim=1, subject="requantize multiplier")
        shift = frozen_integers(self.shift, dtype=np.int64, ndim=1, subject="requantize shift")
        _check_channels("requantize", "shifts", len(shift), len(multiplier))
        _check_range("requantize multiplier", multiplier, 0, (1 << 31) - 1)
        _check_range("requantize shift", shift, -31, 30)
        object.__setattr__(self, "multiplier", multiplier)
        object.__setattr__(self, "shift", shift)

    def check(self, subject: str, encoding: Encoding, lows: list[int], highs: list[int]) -> None:
        """Raise RowloomError unless this serves sums in lows[m] to highs[m] and ``encoding``."""
        _check_channels(subject, "multipliers", len(self.multiplier), len(lows))
        for low, high, shift in zip(lows, highs, self.shift.tolist(), strict=True):
            left = max(shift, 0)
            if not (low << left >= -(1 << 31) and high << left < 1 << 31):
                raise RowloomError(
                    subject,
                    f"a sum of {low} to {high} shifted left by {left} is wider than 32 bits",
                    "requantize takes 32-bit sums",
                )


Post = Thresholds | Requantize | None


def _check_channels(subject: str, what: str, given: int, channels: int) -> None:
    if given != channels:
        raise RowloomError(subject, f"has {given} {what}", f"must have one for each of {channels}")


def _check_range(subject: str, values: NDArray[Any], low: int, high: int) -> None:
    for value in (values.min(initial=low), values.max(initial=low)):
        if not low <= value <= high:
            raise RowloomError(subject, f"must be in {low} to {high}, not {value}")
