"""Read-only arrays for the frozen descriptors."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from rowloom.model.errors import RowloomError


def frozen_integers(values: ArrayLike, *, dtype: DTypeLike, ndim: int, subject: str) -> NDArray[Any]:
    """Return a read-only, contiguous copy of integers, as ``dtype`` and with ``ndim`` axes.

    Raises
    ------
    RowloomError
        If the values are not integers, do not fit ``dtype``, or have another number of axes.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iub":
        raise RowloomError(subject, f"must be integers, not {array.dtype}")
    if array.ndim != ndim:
        raise RowloomError(subject, f"must have {ndim} axes, not {array.ndim}")
    limits = np.iinfo(dtype)
    if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        raise RowloomError(
            subject,
            f"holds {int(array.min())} to {int(array.max())}",
            f"must be in {limits.min} to {limits.max}",
        )
    copy = np.array(array, dtype=dtype, order="C")
    copy.flags.writeable = False
    return copy
