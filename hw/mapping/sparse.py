"""Words of weights that are all zero are left out: which, and where the others lie."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.step import Step
from rowloom.hw.parameters import SkipParameters
from rowloom.hw.program import word_of

__all__ = ["leave_out_zeros", "skip_parameters", "skip_words"]

#: Least share of its cycles that a layer must save.
LEAST_SAVED = 1 / 16


def leave_out_zeros(step: Step, config: ArrayConfig) -> None:
    """Leave out the words of a step that are zero in all rows of its array at once, if that saves enough.

    A block keeps as many words as its drain chains take cycles: leaving out more would not save time. Layers on bit
    planes, and those whose blocks the writer keeps apart, stay as they are.
    """
    fold = step.fold
    if not config.sparse or step.planes is not None or fold.period:
        return
    zero = step.weights.zero.reshape(fold.blocks, fold.accumulation)
    kept = ~zero
    least = min(fold.steps, fold.accumulation)
    for block in kept:
        spare = np.flatnonzero(~block)
        block[spare[: max(0, least - int(block.sum()))]] = True
    skipped = int((~kept).sum())
    if skipped < LEAST_SAVED * fold.blocks * (fold.accumulation + fold.bubbles):
        return
    step.kept = kept
    step.weights = replace(step.weights, words=step.weights.words[:, kept.reshape(-1)])
    step.fold = replace(fold, skipped=skipped)


def skip_parameters(steps: Sequence[Step], layouts: Mapping[str, Layout]) -> SkipParameters | None:
    """Sizes of the table that the steps need, None where none leaves words out; tells the steps their first entries."""
    depth, places = 0, [np.zeros((0, 3), np.int64)]
    for step in steps:
        if step.kept is not None:
            step.skip_base = depth
            depth += int(step.kept.sum())
            places.append(_places(step, layouts[step.inputs[0]]))
    if not depth:
        return None
    a_bits, x_bits, y_bits = (max(1, int(most).bit_length()) for most in np.concatenate(places).max(0))
    return SkipParameters(depth=depth, a_bits=a_bits, x_bits=x_bits, y_bits=y_bits)


def skip_words(steps: Sequence[Step], layouts: Mapping[str, Layout], parameters: SkipParameters | None) -> list[int]:
    """Entries of the table, :attr:`rowloom.hw.parameters.SkipParameters.fields`."""
    entries: list[int] = []
    for step in steps:
        if parameters is None or step.kept is None:
            continue
        places = _places(step, layouts[step.inputs[0]])
        for number, block in enumerate(step.kept):
            words = np.flatnonzero(block)
            for word in words:
                last = word == words[-1]
                wrap = last and number == len(step.kept) - 1
                values = zip(parameters.fields, (*places[word], last, wrap), strict=True)
                entries.append(word_of(parameters.fields, dict(values)))
    return entries


def _places(step: Step, layout: Layout) -> NDArray[np.int64]:
    """Place int64 [accumulation, 3] of each word of a window: words in the bank, columns, rows."""
    fold, window = step.fold, step.window
    down, across = fold.chunk_rows * window.dilation_y, window.dilation_x
    return np.array(
        [
            (tap * across * layout.pixel_words + word, tap * across, chunk * down)
            for chunk, tap, word in product(range(fold.chunks), range(fold.taps), range(fold.words))
        ]
    )
