"""Convolutions that a converter dilates by SPACE_TO_BATCH_ND before and BATCH_TO_SPACE_ND behind them."""

from dataclasses import replace

import numpy as np

from rowloom.model.formats.tflite.reader import File, Operator
from rowloom.model.formats.tflite.values import Padding

VALID = 1

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_RENAMING = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE")


def dilated(file: File) -> tuple[list[Operator], list[tuple[list[Operator], Operator]]]:
    """Return the file's operators, dilated convolutions as one each.

    A batch of b x c pixels, each b rows and c columns from the next, goes through a convolution without stride and
    padding, and back to its places: a convolution of dilation (b, c). What goes before is padding, what is cropped
    behind is less of it. Such an operator has the further options ``Pads`` (top, bottom, left, right) and ``Shape``.

    Returns
    -------
    operators : list of Operator
    joined : list of (list of Operator, Operator)
        What became part of which convolution.
    """
    readers: dict[int, list[Operator]] = {}
    for operator in file.operators:
        for index in operator.inputs:
            readers.setdefault(index, []).append(operator)
    gone: set[int] = set()
    found: dict[int, Operator] = {}
    joined = []
    for first in file.operators:
        chain = _chain(file, first, readers) if first.kind == "SPACE_TO_BATCH_ND" else None
        whole = _joined(file, chain) if chain else None
        if chain and whole is not None:
            gone |= {each.position for each in chain}
            found[chain[-1].position] = whole
            joined.append(([each for each in chain if each.kind not in _CONVOLUTIONS], whole))
    operators = [
        found.get(each.position, each) for each in file.operators if each.position not in gone or each.position in found
    ]
    return operators, joined


def _chain(file: File, first: Operator, readers: dict[int, list[Operator]]) -> list[Operator] | None:
    """Return the operators from one to the BATCH_TO_SPACE_ND behind it, if each feeds nothing but the next."""
    chain = [first]
    while chain[-1].kind != "BATCH_TO_SPACE_ND":
        outputs = chain[-1].outputs
        if len(outputs) != 1 or outputs[0] in file.outputs or len(readers.get(outputs[0], ())) != 1:
            return None
        (following,) = readers[outputs[0]]
        fits = following.kind in (*_CONVOLUTIONS, *_RENAMING, "BATCH_TO_SPACE_ND")
        if not fits or following.inputs[0] != outputs[0] or len(chain) > 8:
            return None
        chain.append(following)
    return chain if sum(each.kind in _CONVOLUTIONS for each in chain) == 1 else None


def _joined(file: File, chain: list[Operator]) -> Operator | None:
    """Return the convolution of a chain with its dilation, or None if it is none."""
    first, last = chain[0], chain[-1]
    (convolution,) = (each for each in chain if each.kind in _CONVOLUTIONS)
    if len(first.inputs) != 3 or len(last.inputs) != 3 or len(last.outputs) != 1 or len(convolution.inputs) < 2:
        return None
    if -1 in (*first.inputs, *last.inputs, *last.outputs, convolution.inputs[1]):
        return None
    tables = [file.tensors[index].data for index in (*first.inputs[1:], *last.inputs[1:])]
    if any(table is None or table.dtype.kind != "i" for table in tables):
        return None
    blocks, pads, behind, crops = ([] if table is None else table.tolist() for table in tables)
    options = convolution.options
    plain = (options.get("Padding"), options.get("StrideH"), options.get("StrideW")) == (VALID, 1, 1) and {
        options.get("DilationHFactor", 1),
        options.get("DilationWFactor", 1),
    } == {1}
    square = len(blocks) in (1, 2) and np.shape(pads) == np.shape(crops) == (len(blocks), 2) and blocks == behind
    kernel = file.tensors[convolution.inputs[1]].shape[1:3]
    if not plain or not square or len(kernel) != 2 or min(blocks) < 1 or not _alike(file, chain):
        return None
    if len(blocks) == 1:
        # Along the width, as the convolution has it too.
        if kernel[0] != 1:
            return None
        blocks, pads, crops = [1, *blocks], [[0, 0], *pads], [[0, 0], *crops]
    less = [(a - c, b - d) for (a, b), (c, d) in zip(pads, crops, strict=True)]
    padding: Padding = (*less[0], *less[1])
    if min(padding) < 0 or max(padding) >= 1 << 16 or max(blocks) >= 1 << 16:
        return None
    extra = {"DilationHFactor": blocks[0], "DilationWFactor": blocks[1], "Pads": padding}
    return replace(
        convolution,
        inputs=(first.inputs[0], *convolution.inputs[1:]),
        outputs=last.outputs,
        options={**options, **extra, "Shape": file.tensors[last.outputs[0]].shape},
    )


def _alike(file: File, chain: list[Operator]) -> bool:
    """Whether all but the convolution keep scale and zero point."""
    for operator in chain:
        before, after = (file.tensors[index].quantization for index in (operator.inputs[0], operator.outputs[0]))
        if operator.kind in _CONVOLUTIONS:
            continue
        if before is None or after is None:
            return False
        if not np.array_equal(before.scales, after.scales) or not np.array_equal(before.zero_points, after.zero_points):
            return False
    return True
