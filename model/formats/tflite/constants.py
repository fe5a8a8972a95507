"""Operators on sizes, which are computed beforehand."""

import math

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.tflite.reader import Operator

FOLDABLE = ("SHAPE", "STRIDED_SLICE", "PACK", "GATHER", "CONCATENATION", "REDUCE_PROD", "MUL")
"""Kinds that compute a shape of a shape; some of them also compute on data."""


MOST_SIZES = 16
"""Of a shape."""


def _size(number: int) -> NDArray[np.int64] | None:
    """Return a size as a scalar, unless it is absurd."""
    return np.array(number) if 0 <= number < 1 << 48 else None


def fold(operator: Operator, inputs: list[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """Return the result of an operator on constant integers; None if it cannot be had."""
    if operator.kind == "SHAPE" and len(inputs) == 1:
        return inputs[0]
    if operator.kind == "PACK" and inputs and all(each.size == 1 for each in inputs):
        return np.array([int(each.reshape(-1)[0]) for each in inputs], np.int64)
    if operator.kind == "GATHER" and len(inputs) == 2 and inputs[0].ndim == 1:
        source, which = inputs
        found = not which.size or (which.min() >= 0 and which.max() < len(source))
        return source[which] if found and which.size <= MOST_SIZES else None
    if operator.kind == "CONCATENATION" and inputs and all(each.ndim == 1 for each in inputs):
        return np.concatenate(inputs) if sum(map(len, inputs)) <= MOST_SIZES else None
    if operator.kind == "REDUCE_PROD" and len(inputs) == 2 and inputs[0].ndim == 1 and inputs[1].tolist() in ([0], 0):
        return _size(math.prod(inputs[0].tolist()))
    if operator.kind == "MUL" and len(inputs) == 2 and inputs[0].size == inputs[1].size == 1:
        return _size(int(inputs[0].item()) * int(inputs[1].item()))
    if operator.kind == "STRIDED_SLICE" and len(inputs) == 4 and all(each.ndim == 1 and each.size for each in inputs):
        source, begin, end, step = inputs
        masks = [operator.options.get(name, 0) for name in ("EllipsisMask", "NewAxisMask")]
        if any(masks) or not len(begin) == len(end) == len(step) == 1 or not step[0]:
            return None
        first = None if operator.options.get("BeginMask", 0) & 1 else int(begin[0])
        last = None if operator.options.get("EndMask", 0) & 1 else int(end[0])
        if operator.options.get("ShrinkAxisMask", 0) & 1:
            place = 0 if first is None else first
            return source[place] if -len(source) <= place < len(source) else None
        return source[first : last : int(step[0])]
    return None
