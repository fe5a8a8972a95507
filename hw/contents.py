"""What a loadable accelerator is filled with: its memories by number, and their contents as beats of the load port."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rowloom.hw.lane_parameters import ExtraLanes
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import RECORD_WORD_BITS, input_fields, layer_fields, pair_fields, record_words, word_of

if TYPE_CHECKING:
    from rowloom.hw.design import Images

__all__ = [
    "GO",
    "HEADER_BITS",
    "HEADER_FIELDS",
    "MemoryGroup",
    "header",
    "load_beats",
    "memory_groups",
    "program_depth",
    "section",
    "stream_beats",
]

#: Fields of a section's header and their widths, from the low bits up.
HEADER_FIELDS = {"memory": 8, "lead": 8, "address": 24, "count": 24}

#: Bits of a section's header.
HEADER_BITS = sum(HEADER_FIELDS.values())

#: Number in the place of a memory's that ends a load.
GO = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGroup:
    """Memories of one width and depth that are filled together, a word each in turn.

    Parameters
    ----------
    name : str
        ``program``, ``weights_{engine}``, ``thresholds_{level}``, ``extra_{level}``, ``pairs`` or ``skips``.
    members : int
        Memories: the rows of an array, or the drain lanes.
    width, depth : int
        Bits of a word, words of each memory.
    """

    name: str
    members: int
    width: int
    depth: int

    def beats(self, load_bits: int) -> int:
        """Beats of the load port that a word takes."""
        return -(-self.width // load_bits)


def program_depth(hardware: Hardware) -> int:
    """Words of the program memory: the input's record and those of all layers."""
    return record_words(input_fields(hardware)) + hardware.layers * record_words(layer_fields(hardware))


def memory_groups(hardware: Hardware) -> tuple[MemoryGroup, ...]:
    """Every memory that the load port fills; a group's place is its number in a section's header."""
    hw = hardware
    groups = [MemoryGroup(name="program", members=1, width=RECORD_WORD_BITS, depth=program_depth(hw))]
    for a, array in enumerate(hw.arrays):
        width = hw.products(array) * array.weight_bits
        groups.append(MemoryGroup(name=f"weights_{a}", members=array.rows, width=width, depth=array.weight_depth))
    for v, path in enumerate(hw.vectors, start=len(hw.arrays)):
        width = path.lanes * path.weight_bits
        groups.append(MemoryGroup(name=f"weights_{v}", members=1, width=width, depth=path.weight_depth))
    groups += _lanes(hw, hw, "thresholds", hw.drains)
    if hw.extra:
        groups += _lanes(hw, hw.extra, "extra", hw.extra.count)
    if hw.plane_pairs:
        groups.append(MemoryGroup(name="pairs", members=1, width=sum(pair_fields().values()), depth=hw.plane_pairs))
    if hw.skips:
        width = sum(hw.skips.fields.values())
        groups.append(MemoryGroup(name="skips", members=1, width=width, depth=hw.skips.depth))
    return tuple(groups)


def _lanes(hardware: Hardware, kind: Hardware | ExtraLanes, name: str, count: int) -> Iterator[MemoryGroup]:
    """Threshold memories of post-processing lanes of a kind."""
    for level in range(1 if kind.line else hardware.levels):
        width = kind.sum_bits + (level == 0)
        if kind.line:
            width = sum(kind.line.fields(sum_bits=kind.sum_bits, levels=hardware.levels).values())
        yield MemoryGroup(name=f"{name}_{level}", members=count, width=width, depth=kind.threshold_depth << level)


def header(**values: int) -> int:
    """A section's header as an integer; fields that are not named are 0.

    Raises
    ------
    ValueError
        If a value does not fit its field.
    """
    return word_of(HEADER_FIELDS, values)


def load_beats(hardware: Hardware, images: "Images") -> list[int]:
    """The beats that fill an accelerator and start it: a section for each group of memories, then ``GO``."""
    beats: list[int] = []
    for number, (group, members) in enumerate(zip(memory_groups(hardware), _contents(hardware, images), strict=True)):
        if members and members[0]:
            beats += section(hardware.load_bits, number, group, members)
    return beats + _split(header(memory=GO), HEADER_BITS, hardware.load_bits)


def stream_beats(hardware: Hardware, images: "Images") -> list[int]:
    """The beats that bring the weights of one image."""
    beats: list[int] = []
    groups = memory_groups(hardware)
    for each in images.stream:
        number = 1 + each.engine
        beats += section(
            hardware.load_bits, number, groups[number], each.words, address=each.address, lead=each.lead + 1
        )
    return beats


def section(
    load_bits: int,
    number: int,
    group: MemoryGroup,
    members: Sequence[Sequence[int]],
    *,
    address: int = 0,
    lead: int = 0,
) -> list[int]:
    """Beats that write equally many words into each memory of a group, from an address on."""
    count = len(members[0])
    beats = _split(header(memory=number, address=address, count=count, lead=lead), HEADER_BITS, load_bits)
    width = group.beats(load_bits) * load_bits
    for words in zip(*members, strict=True):
        for word in words:
            beats += _split(word, width, load_bits)
    return beats


def _contents(hardware: Hardware, images: "Images") -> Iterator[Sequence[Sequence[int]]]:
    """Contents of each group's memories, in the order of :func:`memory_groups`."""
    yield (images.program,)
    yield from images.weights
    yield from zip(*images.thresholds[: hardware.drains], strict=True)
    yield from zip(*images.thresholds[hardware.drains :], strict=True)
    if hardware.plane_pairs:
        yield (images.pairs,)
    if hardware.skips:
        yield (images.skips,)


def _split(value: int, bits: int, load_bits: int) -> list[int]:
    """A value as beats, low bits first."""
    mask = (1 << load_bits) - 1
    return [value >> at & mask for at in range(0, bits, load_bits)]
