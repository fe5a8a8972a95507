"""Operators on sizes, which are computed beforehand."""

import math

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.tflite.reader import Operator

FOLDABLE = ("SHAPE", "STRIDED_SLICE", "PACK", "GATHER", "REDUCE_PROD", "CONCATENATION", "CAST", "ADD", "SUB", "MUL")
"""Kinds that compute a size of sizes."""

MOST_SIZES = 64
"""Integers that are taken for sizes."""


def fold(operator: Operator, inputs: list[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """Return the result of an operator on constant integers; None if it cannot be had."""
    kind = operator.kind
    if not inputs or any(each.size > MOST_SIZES for each in inputs):
        return None
    if kind in ("SHAPE", "CAST") and len(inputs) == 1:
        return inputs[0]
    if kind == "PACK" and all(each.size == 1 for each in inputs):
        return np.array([int(each.reshape(-1)[0]) for each in inputs], np.int64)
    if kind == "GATHER" and len(inputs) == 2 and inputs[0].ndim == 1:
        source, places = inputs
        inside = places.size and places.min() >= 0 and places.max() < len(source)
        return np.asarray(source[places]) if inside else None
    if kind == "REDUCE_PROD" and inputs[0].ndim == 1:
        return np.array(math.prod(inputs[0].tolist()) % (1 << 32), np.int64)
    if kind == "CONCATENATION" and all(each.ndim == 1 for each in inputs):
        return np.concatenate(inputs)
    if kind in ("ADD", "SUB", "MUL") and len(inputs) == 2 and 1 in (inputs[0].size, inputs[1].size):
        function = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply}[kind]
        return np.asarray(function(*(each.astype(np.int32) for each in inputs)), np.int64)
    if kind == "STRIDED_SLICE" and len(inputs) == 4 and all(each.ndim == 1 and each.size for each in inputs):
        return _sliced(operator, *inputs)
    return None


def _sliced(
    operator: Operator,
    source: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    step: NDArray[np.int64],
) -> NDArray[np.int64] | None:
    masks = [operator.options.get(name, 0) for name in ("EllipsisMask", "NewAxisMask")]
    if any(masks) or not len(begin) == len(end) == len(step) == 1 or not step[0]:
        return None
    first = None if operator.options.get("BeginMask", 0) & 1 else int(begin[0])
    last = None if operator.options.get("EndMask", 0) & 1 else int(end[0])
    if operator.options.get("ShrinkAxisMask", 0) & 1:
        place = 0 if first is None else first
        return np.asarray(source[place]) if -len(source) <= place < len(source) else None
    return source[first : last : int(step[0])]
