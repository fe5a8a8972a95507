"""Post-processing: what its lanes need of every filter whose codes they find."""

from collections.abc import Sequence
from dataclasses import dataclass

from rowloom.hw.config import ArrayConfig
from rowloom.hw.lane_parameters import ExtraLanes, LineParameters
from rowloom.hw.mapping.lines import NetworkLines, lines_of
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words, quotients
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.thresholds import Table, sum_span, threshold_tables, threshold_words
from rowloom.hw.parameters import Hardware
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

    def words(self, hardware: Hardware) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Memory words ``[lane][level]`` for an accelerator that has what is needed."""
        words = self._words(range(hardware.drains), hardware, hardware.levels)
        if hardware.extra is None:
            return words
        others = range(hardware.drains, hardware.code_lanes)
        if self.extra is None:  # there for other networks
            return (*words, *[((),) * len(words[0])] * len(others))
        return (*words, *self._words(others, hardware.extra, hardware.levels))

    def _words(self, lanes: range, kind: Hardware | ExtraLanes, levels: int) -> tuple[tuple[tuple[int, ...], ...], ...]:
        if kind.line is None:
            return threshold_words(self.tables, lanes, levels, kind.sum_bits)
        return line_words(self.lines, lanes, kind.line, kind.sum_bits, levels)


def codes_of(network: Network, steps: Sequence[Step], config: ArrayConfig, built: Hardware | None = None) -> Codes:
    """Find the thresholds of all layers, and place them in the memories of the lanes.

    Layers that use more lanes than others come first, so that the memories of lanes that only they use are shallow.
    Lanes that were built find codes as they do.
    """
    levels = max(step.levels for step in steps)
    divided = levels >= LEAST_DIVIDED
    if built is not None:
        levels, divided = max(levels, built.levels), built.line is not None
    summing = sorted((step for step in steps if step.path != "pool"), key=lambda step: -step.drains)
    lines = lines_of(network, levels) if divided else None
    if lines is not None and built is not None and built.line is not None:
        lines = lines.refined(built.line.fraction, bent=built.line.bent)
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
            line=_line(found[: len(wide)], lines, bits, built.extra if built else None),
        )
    return Codes(
        levels=levels,
        sum_bits=sum_bits,
        depth=_place(summing),
        line=_line(found, lines, sum_bits, built),
        extra=extra,
        tables=tables,
        lines=found,
    )


def _line(
    found: Sequence[Quotients], lines: NetworkLines | None, sum_bits: int, built: Hardware | ExtraLanes | None
) -> LineParameters | None:
    if lines is None:
        return None
    if built is None or built.line is None:
        return line_parameters(found, lines, sum_bits)
    return line_parameters(found, lines, max(sum_bits, built.sum_bits), built.line.kept_bits)


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
