"""The cycle model: exactly what the gates take."""

from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold

__all__ = ["array_cycles", "handover_cycles", "load_cycles", "pool_cycles"]

#: From a word's turn in the loop nest to the arrays: address, bank, its register, crossbar.
_TO_ARRAY = 5

#: From a completed word to the banks: packer, writer, bank.
_TO_BANK = 3

#: The first entries of the table of words that are multiplied.
_OPENING = 2

#: Record fetch and start of the sequencer.
_START = 2


def array_cycles(fold: Fold, *, latency: int, code: int, record_words: int) -> int:
    """Cycles of a layer on an array whose units have that latency.

    From the fetch of the layer's record to its last word: the record, the loop nest without the
    idle cycles after its last block, the pipeline, the last block's drain, and ``code`` cycles from a
    sum's announcement to its code (:attr:`rowloom.hw.parameters.Hardware.code_cycles`); and one for each further
    plane of the last word. Layers that leave words out look up the first ones before.
    """
    issue = fold.issue_cycles - fold.bubbles + (_OPENING if fold.skipped else 0)
    drained = fold.steps - 1 + code + _TO_BANK + fold.further
    return record_words + _START + issue + _TO_ARRAY + latency + drained


def pool_cycles(fold: Fold, *, record_words: int) -> int:
    """Cycles of a layer in the pooling path, which needs no drain."""
    return record_words + _START + fold.issue_cycles - fold.bubbles + 2 + 3 + _TO_BANK + fold.further


def load_cycles(source: Layout) -> int:
    """Cycles in which an image comes in at one code a cycle, the writer never being busy.

    Every row takes its codes, the zeros that pad a packed row at its right, a cycle for each further
    word of a window and for each further plane of a word, and a cycle to end.
    """
    height, width, channels = source.shape
    padded = 0
    if source.packed:
        padded = max(0, (source.columns - 1) * source.stride - source.padding + source.window - width)
    further = source.width * (source.pixel_words - source.words)
    if source.packed:
        further = source.width * (source.window_words * source.word_planes - 1)
    return height * ((width + padded) * channels + further + 1)


def handover_cycles(load: int, meanwhile: int) -> int:
    """Cycles between the last layer of an image and the first of the next.

    Parameters
    ----------
    load : int
        :func:`load_cycles`.
    meanwhile : int
        Cycles of the layers that run after the input's memory is free again.
    """
    return max(1, load + 2 - meanwhile)
