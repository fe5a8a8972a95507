"""How a layer is folded onto an engine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.window import Window
from rowloom.hw.program import MAX_STRIDE

__all__ = ["Fold", "array_folds", "pool_fold", "spaced", "vector_fold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Loop counts of a layer on an engine.

    Parameters
    ----------
    sum_rows : bool
        The streams of a group are different kernel rows; otherwise all the same.
    rows_summed : int
        Rows of a drain chain that make one sum.
    groups : int
        Sums that a drain chain holds at once.
    strip : int
        Output rows computed side by side.
    strips, blocks, chunks, taps, words : int
        Iterations of the loops.
    pixels : int
        Output columns.
    chunk_rows : int
        Kernel rows that a chunk takes in space.
    steps : int
        Rows drained from each chain after a block.
    planes : int
        Pairs of bit planes, one after the other.
    period : int
        Least cycles from block to block that the writer asks for.
    further : int
        Cycles that the last word's further planes take.
    merged : bool
        The rows of a chunk stand side by side in the lanes of one word.
    copies : int
        Times that a pixel is read.
    skipped : int
        Words of a pixel that are left out because their weights are zero.
    """

    sum_rows: bool
    rows_summed: int
    groups: int
    strip: int
    strips: int
    pixels: int
    blocks: int
    chunks: int
    taps: int
    words: int
    chunk_rows: int
    steps: int
    planes: int = 1
    period: int = 0
    further: int = 0
    merged: bool = False
    copies: int = 1
    skipped: int = 0

    @property
    def accumulation(self) -> int:
        """Cycles in which a block accumulates, no word being left out."""
        return self.planes * self.chunks * self.taps * self.words

    @property
    def bubbles(self) -> int:
        """Idle cycles after a block, for the drain chains and the writer."""
        return max(0, max(self.steps, self.period) - self.accumulation)

    @property
    def issue_cycles(self) -> int:
        blocks = self.copies * self.blocks
        return self.strips * self.pixels * (blocks * (self.accumulation + self.bubbles) - self.skipped)


def _strip(window: Window, rows: int, cols: int, banks: int) -> int:
    """Columns that can work side by side without two input rows, or two output rows, in one bank."""
    span = min(rows, window.rows)
    if window.stride_y > MAX_STRIDE:
        cols = 1
    if window.side > 1:
        cols = max(1, min(cols, banks // window.side))
    return max((q for q in range(1, cols + 1) if window.stride_y * (q - 1) + span <= banks), default=0)


def array_folds(
    window: Window,
    source: Layout,
    config: ArrayConfig,
    *,
    chain: int,
    stacked: bool,
    banks: int,
    planes: int = 1,
    merge: bool = False,
) -> Iterator[Fold]:
    """Every way to fold a window onto an array whose drain chains have ``chain`` rows.

    ``planes`` pairs of bit planes take turns; ``merge`` allows to put the rows of a chunk into one word, if they fit.
    """
    group = config.group
    ways = []
    if stacked:
        if window.dilation_y == 1:
            ways.append((True, 1, group, False))
    else:
        ways.append((False, 1, 1, False))
        if group > 1 and window.dilation_y == 1 and window.rows > 1:
            if group <= chain:
                ways.append((True, group, group, False))
            if merge and group * source.channels <= source.lanes:
                ways.append((True, 1, group, True))
    for sum_rows, rows_summed, chunk_rows, merged in ways:
        groups = chain // rows_summed
        filters = groups * config.drains
        strip = _strip(window, chunk_rows, config.cols, banks)
        if strip:
            yield Fold(
                sum_rows=sum_rows,
                rows_summed=rows_summed,
                groups=groups,
                strip=strip,
                strips=-(-window.height // strip),
                pixels=window.width,
                blocks=-(-window.filters // filters),
                chunks=-(-window.rows // chunk_rows),
                taps=window.taps,
                words=source.words,
                chunk_rows=chunk_rows,
                steps=groups * rows_summed,
                planes=planes,
                merged=merged,
            )


def spaced(fold: Fold, planes: int, *, word_emissions: int, used: int) -> Fold | None:
    """A fold whose output words are stored as so many planes, one a cycle: none may follow another sooner.

    Parameters
    ----------
    fold : Fold
    planes : int
    word_emissions : int
        Emissions that fill a word.
    used : int
        Emissions of a pixel that hold channels.

    Returns
    -------
    Fold
        With as many idle cycles after each block as it takes; None where words of one block come
        too fast.
    """
    complete = [n for n in range(used) if (n + 1) % word_emissions == 0 or n == used - 1]
    complete.append(complete[0] + fold.blocks * fold.groups)  # of the next pixel
    least = fold.accumulation + fold.bubbles
    for period in range(least, least + planes):
        times = [n // fold.groups * period + n % fold.groups * fold.rows_summed for n in complete]
        if all(after - before >= planes for before, after in pairwise(times)):
            return replace(fold, period=period, further=planes - 1)
    return None


def pool_fold(window: Window, source: Layout, config: ArrayConfig, *, banks: int) -> Fold:
    """The fold of a pooling layer: a block is a channel word."""
    strip = _strip(window, config.group, config.cols, banks)
    return Fold(
        sum_rows=True,
        rows_summed=1,
        groups=1,
        strip=strip,
        strips=-(-window.height // strip),
        pixels=window.width,
        blocks=source.words,
        chunks=-(-window.rows // config.group),
        taps=window.taps,
        words=1,
        chunk_rows=config.group,
        steps=1,
        copies=window.copies,
    )


def vector_fold(window: Window, source: Layout, config: ArrayConfig, *, banks: int, drains: int) -> Fold:
    """The fold of a layer on the vector path: a block is a channel word, a kernel row a chunk."""
    strip = _strip(window, 1, config.cols, banks)
    return Fold(
        sum_rows=False,
        rows_summed=1,
        groups=config.lanes // drains,
        strip=strip,
        strips=-(-window.height // strip),
        pixels=window.width,
        blocks=source.words,
        chunks=window.rows,
        taps=window.taps,
        words=1,
        chunk_rows=1,
        steps=config.lanes // drains,
    )
