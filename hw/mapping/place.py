"""Places tensors in the banks by their lifetime."""

from collections.abc import Mapping, Sequence

__all__ = ["place"]


def place(depths: Mapping[str, int], lives: Mapping[str, tuple[int, int]], order: Sequence[str]) -> dict[str, int]:
    """Base address of each tensor, the lowest that overlaps no tensor alive at the same time.

    Parameters
    ----------
    depths : words that each tensor takes in every bank
    lives : first and last layer, inclusive, during which each tensor must be kept
    order : tensors in the order of placement
    """
    bases: dict[str, int] = {}
    for name in order:
        first, last = lives[name]
        taken = sorted(
            (bases[other], bases[other] + depths[other])
            for other in bases
            if lives[other][0] <= last and first <= lives[other][1]
        )
        base = 0
        for start, end in taken:
            if base + depths[name] <= start:
                break
            base = max(base, end)
        bases[name] = base
    return bases
