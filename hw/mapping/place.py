"""Places tensors in the banks by their lifetime."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Buffer", "place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """Memory of a tensor, or of several that share it.

    ``depth`` words from ``base`` on in every bank, while layers ``first`` to ``last`` run.
    """

    name: str
    base: int
    depth: int
    first: int
    last: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def place(depths: Mapping[str, int], lives: Mapping[str, tuple[int, int]]) -> dict[str, Buffer]:
    """Place each tensor at the lowest address that overlaps no tensor alive at the same time.

    Tensors are placed in the order given and, where that needs less memory, the largest first.

    Parameters
    ----------
    depths : words that each tensor takes in every bank
    lives : first and last layer, inclusive, during which each tensor must be kept
    """
    orders = (list(depths), sorted(depths, key=lambda name: -depths[name]))
    return min(
        (_place(depths, lives, order) for order in orders),
        key=lambda placed: max(each.base + each.depth for each in placed.values()),
    )


def _place(depths: Mapping[str, int], lives: Mapping[str, tuple[int, int]], order: Sequence[str]) -> dict[str, Buffer]:
    placed: dict[str, Buffer] = {}
    for name in order:
        first, last = lives[name]
        base = 0
        for other in sorted(placed.values(), key=lambda other: other.base):
            if other.last < first or last < other.first:
                continue
            if base + depths[name] <= other.base:
                break
            base = max(base, other.base + other.depth)
        placed[name] = Buffer(name=name, base=base, depth=depths[name], first=first, last=last)
    return placed
