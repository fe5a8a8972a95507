"""Post-processing: what its lanes need of every filter whose codes they find."""

from collections.abc import Sequence
from dataclasses import dataclass

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.lines import NetworkLines, lines_of
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words, quotients
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.thresholds import Table, sum_span, threshold_tables, threshold_words
from rowloom.hw.parameters import ExtraLanes, LineParameters
from rowloom.model.network import Network

__all__ = ["Codes", "codes_of"]

#: Narrowest codes that are found by division; one comparison needs none.
LEAST_DIVIDED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """The lanes of a column.

    Parameters
    ----------
    levels : int
        Bits of the widest code.
    sum_bits, depth : int
        Bits of a sum, and words of a threshold memory, in the lanes that all layers use.
    line : LineParameters or None
        Of the same lanes; None where codes are found by tables.
    extra : ExtraLanes or None
        Lanes that only the vector path uses.
    tables : list of Table
        Thresholds of each layer, in the order in which they lie in the memories.
    lines : list of Quotients
        The same for codes that are found by division.
    """

    levels: int
    sum_bits: int
    depth: int
    line: LineParameters | None
    extra: ExtraLanes | None
    tables: list[Table]
    lines: list[Quotients]

    def words(self, drains: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Memory words ``[lane][level]``."""
        words = self._words(range(drains), self.line, self.sum_bits)
        if self.extra is None:
            return words
        others = range(drains, drains + self.extra.count)
        return (*words, *self._words(others, self.extra.line, self.extra.sum_bits))

    def _words(
        self, lanes: range, line: LineParameters | None, sum_bits: int
    ) -> tuple[tuple[tuple[int, ...], ...], ...]:
        if line is None:
            return threshold_words(self.tables, lanes, self.levels, sum_bits)
        return line_words(self.lines, lanes, line, sum_bits, self.levels)


def codes_of(network: Network, steps: Sequence[Step], config: ArrayConfig) -> Codes:
    """Find the thresholds of all layers, and place them in the memories of the lanes.

    Layers that use more lanes than others come first, so that the memories of lanes that only they use are shallow.
    """
    levels = max(step.levels for step in steps)
    summing = sorted((step for step in steps if step.path != "pool"), key=lambda step: -step.drains)
    lines = lines_of(network, levels) if levels >= LEAST_DIVIDED else None
    tables: list[Table] = []
    found: list[Quotients] = []
    if lines is None:
        tables = [threshold_tables(step, config, levels) for step in summing]
        ends = [(int(table.min()), int(table.max())) for table, _ in tables]
    else:
        found = [quotients(step, lines, config) for step in summing]
        ends = [(int(each.threshold.min()), int(each.threshold.max())) for each in found]
    sum_bits = _sum_bits(summing, ends, config.group)
    wide = [step for step in summing if step.drains > config.drains]
    extra = None
    if wide:
        bits = _sum_bits(wide, ends[: len(wide)], config.group)
        extra = ExtraLanes(
            count=wide[0].drains - config.drains,
            sum_bits=bits,
            threshold_depth=_place(wide),
            line=_line(found[: len(wide)], lines, bits),
        )
    return Codes(
        levels=levels,
        sum_bits=sum_bits,
        depth=_place(summing),
        line=_line(found, lines, sum_bits),
        extra=extra,
        tables=tables,
        lines=found,
    )


def _line(found: Sequence[Quotients], lines: NetworkLines | None, sum_bits: int) -> LineParameters | None:
    return None if lines is None else line_parameters(found, lines, sum_bits)


def _place(steps: Sequence[Step]) -> int:
    """Put the layers one behind the other in the threshold memories; return the words that they take."""
    depth = 0
    for step in steps:
        step.threshold_base = depth
        depth += step.fold.blocks * step.fold.groups
    return depth


def _sum_bits(steps: Sequence[Step], thresholds: Sequence[tuple[int, int]], group: int) -> int:
    """Bits that hold every sum, every threshold, every difference of the two, and every code that leaves."""
    values = []
    for step, (least, greatest) in zip(steps, thresholds, strict=True):
        low, high = sum_span(step, group)
        values += [low, high, least, greatest, low - greatest, high - least]
        if step.layer_post is not None:
            values += [step.target.code_min, step.target.code_max]
    return max((value if value >= 0 else ~value).bit_length() + 1 for value in values)
