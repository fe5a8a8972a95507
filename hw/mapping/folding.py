"""The fold that a layer takes: the one with the fewest cycles."""

from collections.abc import Sequence

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.fold import array_folds, pool_fold, spaced, vector_fold
from rowloom.hw.mapping.step import Step
from rowloom.model.errors import RowloomError

__all__ = ["TooFast", "fold_step", "vector_drains"]

#: Taps of the window while whose sums accumulate a word of codes shall leave.
_TAPS = 9

#: Part of the cycles that the vector path may wait.
_WAITING = 100


class TooFast(RowloomError):
    """A layer completes words faster than their planes can be written."""


def fold_step(step: Step, config: ArrayConfig, banks: int, source: str, planes: int, *, built: bool = False) -> None:
    """Choose the fold with the fewest cycles, for an output whose words are stored as so many planes.

    Rows are only merged in layers that read ``source``, so that an array merges one number of lanes: that of an array
    that was built.
    """
    window, array = step.window, step.array
    used, filling = -(-window.filters // step.drains), config.lanes // step.drains
    if step.square is not None:
        filling = step.square.word_emissions
    if step.path != "array":
        pool = step.path == "pool"
        if pool:
            fold = pool_fold(window, step.layout, config, banks=banks)
        else:
            fold = vector_fold(window, step.layout, config, banks=banks, drains=step.drains)
        enough = spaced(fold, planes, word_emissions=1 if pool else filling, used=fold.blocks if pool else used)
        if enough is None:
            raise TooFast(step.layer.name, f"completes words faster than every {planes} cycles")
        step.fold = enough
        return
    chain = array.rows // config.drains
    pairs = len(step.planes.pairs) if step.planes else 1
    merge = step.mergeable and source == step.inputs[0]
    if built:
        merge = merge and array.merged == step.layout.channels
    ways = array_folds(
        window, step.layout, config, chain=chain, stacked=array.stacked, banks=banks, planes=pairs, merge=merge
    )
    folds = list(ways)
    if folds and planes > 1:
        spread = [spaced(fold, planes, word_emissions=filling, used=used) for fold in folds]
        folds = [fold for fold in spread if fold]
        if not folds:
            raise TooFast(step.layer.name, f"completes words faster than every {planes} cycles")
    if not folds:
        raise RowloomError(
            step.layer.name,
            f"a {window.rows} x {window.taps} window with dilation {window.dilation_y} "
            f"and stride {window.stride_y} does not map onto {config.cols} columns and {banks} banks",
        )
    step.fold = min(folds, key=lambda fold: (fold.issue_cycles, fold.steps))


def vector_drains(steps: Sequence[Step], config: ArrayConfig) -> int:
    """Codes of a column that leave the vector path at once, as :class:`rowloom.hw.config.ArrayConfig` says."""
    if config.vector_drains:
        return config.vector_drains
    folds = [step.fold for step in steps if step.path == "vector"]
    waiting = sum(fold.strips * fold.pixels * fold.blocks * fold.bubbles for fold in folds)
    if waiting * _WAITING <= sum(step.fold.issue_cycles for step in steps):
        return config.drains
    return next(
        drains
        for drains in range(config.drains, config.lanes + 1, config.drains)
        if config.lanes % drains == 0 and config.lanes <= drains * _TAPS
    )
