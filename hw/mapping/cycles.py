"""The cycle model: exactly what the gates take."""

from rowloom.hw.mapping.fold import Fold

__all__ = ["HANDOVER", "array_cycles", "pool_cycles"]

#: Cycles between the last layer of an image and the first of the next, if that is loaded.
HANDOVER = 1

#: From a word's turn in the loop nest to the arrays: address, bank, its register, crossbar.
_TO_ARRAY = 5

#: From the announcement of an emission to the banks: chain, sum, threshold, packer, writer, bank.
_TO_BANK = 6

#: Record fetch and start of the sequencer.
_START = 2


def array_cycles(fold: Fold, *, latency: int, record_words: int) -> int:
    """Cycles of a layer on an array whose units have that latency.

    From the fetch of the layer's record to its last word: the record, the loop nest without the
    idle cycles after its last block, the pipeline, and the last block's drain.
    """
    issue = fold.issue_cycles - fold.bubbles
    return record_words + _START + issue + _TO_ARRAY + latency + (fold.steps - 1) + _TO_BANK


def pool_cycles(fold: Fold, *, record_words: int) -> int:
    """Cycles of a layer in the pooling path, which needs no drain."""
    return record_words + _START + fold.issue_cycles + 2 + _TO_BANK
