"""Weights that come while images are computed: which layers' they are, where they go, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rowloom.hw.design import WeightSection
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.words import WeightWords
from rowloom.hw.parameters import Hardware
from rowloom.model.errors import DoesNotFit

__all__ = ["place_streams", "weight_sections"]


def place_streams(
    arrays: Sequence[ArrayParameters],
    vectors: Sequence[VectorParameters],
    steps: Sequence[Step],
    limits: Mapping[object, int],
) -> tuple[list[ArrayParameters], list[VectorParameters]]:
    """Give engines whose weights exceed their limit a memory of that many words, and steps their place there.

    The smallest layers' weights stay, as long as two of the largest layers fit above them, or one where two never do.
    Those of the others follow each other round the rest of the memory.

    Parameters
    ----------
    limits : mapping
        Most words of a memory by the kind of its engine; under None those of any other.

    Raises
    ------
    DoesNotFit
        Naming a layer whose weights alone exceed the memory.
    """
    placed: dict[int, Any] = {}
    streamed: set[int] = set()
    engines: list[ArrayParameters | VectorParameters] = [*arrays, *vectors]
    for engine in engines:
        limit = limits.get(engine.kind, limits[None])
        mine = [step for step in steps if step.array is engine]
        if sum(map(_depth, mine)) <= limit:
            placed[id(engine)] = engine
            continue
        largest = max(mine, key=_depth)
        if _depth(largest) > limit:
            raise DoesNotFit(
                largest.name,
                f"has {_depth(largest):,} words of weights in each row of the {engine.unit} array, "
                f"there is room for {limit:,}",
                "choose a larger weight_depth",
            )
        two = sum(sorted(map(_depth, mine))[-2:])
        room = limit - (two if two <= limit else _depth(largest))
        above = 0
        going: set[int] = set()
        for step in sorted(mine, key=_depth):
            if not going and above + _depth(step) <= room:
                above += _depth(step)
            else:
                going.add(id(step))
        base, ring = 0, above
        for step in mine:
            if id(step) not in going:
                step.weight_base, base = base, base + _depth(step)
                continue
            if ring + _depth(step) > limit:
                ring = above
            step.weight_base, ring = ring, ring + _depth(step)
        streamed |= going
        made = replace(engine, weight_depth=limit)
        for step in mine:
            step.array = made
        placed[id(engine)] = made
    order = [step for step in steps if id(step) in streamed]
    for s, step in enumerate(order):
        step.lead = _lead(order, s)
    return [placed[id(array)] for array in arrays], [placed[id(path)] for path in vectors]


def _depth(step: Step) -> int:
    """Words that a step's weights take in each row."""
    depth: int = step.weights.words.shape[1]
    return depth


def _lead(order: Sequence[Step], s: int) -> int:
    """Sections between that of step s and the last one before it whose words it overwrites, over the images."""
    mine = order[s]
    for back in range(1, len(order) + 1):
        other = order[s - back]
        apart = mine.weight_base + _depth(mine) <= other.weight_base
        apart = apart or other.weight_base + _depth(other) <= mine.weight_base
        if other.array is mine.array and not apart:
            return back - 1
    raise AssertionError("a section overwrites itself, an image later")


def weight_sections(steps: Sequence[Step], hardware: Hardware) -> tuple[WeightSection, ...]:
    """What comes for every image."""
    engines = (*hardware.arrays, *hardware.vectors)
    return tuple(
        WeightSection(
            engine=engines.index(step.array),
            address=step.weight_base,
            lead=step.lead,
            words=WeightWords([step.weights.words], step.array.weight_bits),
        )
        for step in steps
        if step.lead is not None
    )
