"""Codes looked up by their sums: the same as comparing or multiplying, in fewer passes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.bisection import first_reached

#: Most entries of the tables of all channels of a layer: what a core's cache holds.
MOST_ENTRIES = 1 << 21


@dataclass(frozen=True, slots=True)
class CodeTable:
    """The code of every sum of every channel, up to where codes change no more."""

    low: NDArray[np.int64]
    """[M]: least sum with an entry; those below have the same code."""
    high: NDArray[np.int64]
    """[M]: greatest one."""
    start: NDArray[np.int64]
    """[M]: by what a sum is moved to the place of its entry."""
    entries: NDArray[Any]
    """Codes of channel 0, of channel 1, and so on."""

    @classmethod
    def of(
        cls, code: Callable[[NDArray[np.int64]], NDArray[Any]], channels: int, bound: int, most: int
    ) -> "CodeTable | None":
        """Return the table of a function, or None if it would have more than ``most`` entries.

        Parameters
        ----------
        code : function of int64 [K, M] to integers [K, M]
            Rises with the sum, or stays.
        channels : int
            M.
        bound : int
            Greatest magnitude of a sum.
        most : int
            At most :data:`MOST_ENTRIES`.
        """
        least, greatest = (code(np.full((1, channels), end))[0] for end in (-bound, bound))
        ends = np.full(channels, -bound), np.full(channels, bound)
        low = first_reached(lambda sums: code(sums[None])[0] > least, *ends) - 1
        high = np.maximum(first_reached(lambda sums: code(sums[None])[0] == greatest, *ends), low)
        sizes = high - low + 1
        widest = int(sizes.max())
        if sizes.sum() > min(most, MOST_ENTRIES) or widest * channels > 4 * MOST_ENTRIES:
            return None
        place = np.arange(widest)
        codes = code(low + np.minimum(place[:, None], sizes - 1))
        return cls(low, high, np.cumsum(sizes) - sizes - low, codes.T[place < sizes[:, None]])

    def codes(self, sums: NDArray[Any]) -> NDArray[Any]:
        """Return the codes [..., M] of integers, or floats that hold them exactly, which are overwritten."""
        kind = sums.dtype
        np.clip(sums, self.low.astype(kind), self.high.astype(kind), out=sums)
        places: NDArray[Any] = sums.astype(np.int32 if kind == np.float32 else np.int64)
        places += self.start.astype(places.dtype)
        codes: NDArray[Any] = self.entries[places]
        return codes
