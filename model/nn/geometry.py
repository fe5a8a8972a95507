"""Sizes down and across."""

from rowloom.model.errors import RowloomError

Pair = int | tuple[int, int]
"""Down and across; one number for both."""

Padding = int | tuple[int, int] | tuple[int, int, int, int]
"""Top, bottom, left, right; two numbers for both sides down and across, one for all."""


def pair(what: str, size: Pair) -> tuple[int, int]:
    """Return (down, across)."""
    sizes = size if isinstance(size, tuple) else (size, size)
    if len(sizes) != 2 or any(type(each) is not int for each in sizes):
        raise RowloomError(what, f"must be an integer or a pair of them, not {size!r}")
    return sizes


def sides(size: Padding) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right)."""
    sizes = size if isinstance(size, tuple) else (size, size)
    if len(sizes) == 2:
        sizes = (sizes[0], sizes[0], sizes[1], sizes[1])
    if len(sizes) != 4 or any(type(each) is not int for each in sizes):
        raise RowloomError("padding", f"must be an integer, a pair or four of them, not {size!r}")
    return sizes
