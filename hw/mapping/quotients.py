"""Memories of the lanes that divide: a filter's line over the units' offset sums, as words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from rowloom.hw.config import ArrayConfig
from rowloom.hw.lane_parameters import LineParameters
from rowloom.hw.mapping.lines import NetworkLines
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.thresholds import sum_span
from rowloom.model.bounds import signed_bits

__all__ = ["Quotients", "line_parameters", "line_words", "quotients"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quotients:
    """What the ``drains`` lanes that a layer uses need of its filters, in the order emission, lane.

    ``threshold``, ``step``, ``flip`` : int64 [emissions * drains]; ``starts`` : int64 [emissions * drains, 2], which
    the remainder of a difference has below and from 0 on. ``divides`` : bool, filters whose count depends on the sum;
    ``late`` : bool, filters whose odd thresholds leave out the sum on their line.
    ``mended``, ``nudges`` : int64 [emissions * drains, K], sums that are divided as others, and how far these are.
    """

    drains: int
    threshold: Integers
    starts: Integers
    step: Integers
    flip: Integers
    divides: NDArray[np.bool_]
    late: NDArray[np.bool_]
    mended: Integers
    nudges: Integers


def quotients(step: Step, lines: NetworkLines, config: ArrayConfig) -> Quotients:
    """Lines of a layer's emissions.

    Filters that the layer lacks, and those that give one code, have a threshold that is never reached and a step
    of 0: they count none. For raw sums the threshold is what must be taken off the sum.
    """
    _, high = sum_span(step, config.group)
    count = step.fold.blocks * step.fold.groups * step.drains
    mends = (count, lines.mends)
    found = Quotients(
        drains=step.drains,
        threshold=np.full(count, high + 1, np.int64),
        starts=np.zeros((count, 2), np.int64),
        step=np.zeros(count, np.int64),
        flip=np.zeros(count, np.int64),
        divides=np.zeros(count, np.bool_),
        late=np.zeros(count, np.bool_),
        mended=np.zeros(mends, np.int64),
        nudges=np.zeros(mends, np.int64),
    )
    offsets = step.weights.offsets - (0 if step.layer.bias is None else np.asarray(step.layer.bias) << step.scale)
    places = step.places
    if step.layer_post is None:
        found.threshold[places] = offsets
        return found
    line = lines.layers[step.layer.name]
    found.flip[places] = line.flip
    found.divides[places] = ~line.constant
    found.late[places] = line.late
    # the units' sums are shifted by the scale
    steep = line.step << step.scale
    middle = (line.starts << step.scale) + (steep << (lines.levels - 1))[:, None]
    # straight: the middle threshold itself; its fraction starts the remainder
    threshold = line.pivot << step.scale if lines.bent else -(-middle[:, 0] >> lines.fraction)
    starts = (threshold << lines.fraction)[:, None] - middle
    some = np.flatnonzero(~line.constant)
    found.threshold[places[some]] = (threshold + offsets)[some]
    found.starts[places[some]] = starts[some]
    found.step[places[some]] = steep[some]
    found.nudges[places] = line.nudges << step.scale
    found.mended[places] = np.where(line.nudges, (line.mended << step.scale) + offsets[:, None], 0)
    return found


def line_parameters(found: Sequence[Quotients], lines: NetworkLines, sum_bits: int, kept: int = 1) -> LineParameters:
    """Widths that keep every remainder exact, and every difference beyond them clear of all thresholds.

    At least ``kept`` low bits of a difference are divided.
    """
    step, starts = (
        np.concatenate([getattr(each, name)[each.divides] for each in found]) for name in ("step", "starts")
    )
    whole = step * ((1 << (lines.levels - 1)) - 1)
    nudge = max((int(np.abs(each.nudges).max(initial=0)) for each in found), default=0)
    unit = 1 << lines.fraction
    while kept < sum_bits:
        reach = unit << (kept - 1)
        # what is nudged lies within reach with its neighbours, and so does the sum on the last threshold's line
        near = reach - max(nudge, lines.late) * unit
        if ((near + starts[:, 1] >= whole) & (starts[:, 0] + whole < near + unit)).all():
            break
        kept += 1
    reach = unit << (kept - 1)
    ends = [-reach, reach - 1]
    if len(step):
        change = int(step.max()) << max(0, lines.levels - 2)
        ends += [-reach + int(starts[:, 0].min()), -unit + int(starts[:, 0].max()), -change]
        ends += [reach - unit + int(starts[:, 1].max()), int(starts[:, 1].min()), change]
    ends += [min(ends) - nudge * unit, max(ends) + nudge * unit]
    return LineParameters(
        fraction=lines.fraction,
        step_bits=max(1, int(step.max(initial=0)).bit_length()),
        kept_bits=kept,
        # one bit for each stage, even if no filter divides
        remainder_bits=max(lines.levels, signed_bits(min(ends), max(ends))),
        bent=lines.bent,
        mends=lines.mends,
        nudge_bits=signed_bits(-nudge, nudge) if lines.mends else 0,
        late=lines.late,
    )


def line_words(
    found: Sequence[Quotients], which: Iterable[int], line: LineParameters, sum_bits: int, levels: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Memory words ``[lane][0]`` of the lanes ``which``: fields of :meth:`LineParameters.fields`.

    Layers have words in the lanes that they use, one behind the other.
    """
    widths = line.fields(sum_bits=sum_bits, levels=levels)
    lanes = []
    for k in which:
        words = [_words(each, slice(k, None, each.drains), widths) for each in found if each.drains > k]
        lanes.append((tuple(chain.from_iterable(words)),))
    return tuple(lanes)


def _words(each: Quotients, which: slice, widths: Mapping[str, int]) -> list[int]:
    """Words of some filters, of fields from the low bits up."""
    columns = {name: getattr(each, name)[which] for name in ("threshold", "step", "flip", "late")}
    starts = each.starts[which]
    columns |= {"start": starts[:, 0], "start_0": starts[:, 0], "start_1": starts[:, 1]}
    for k in range(each.nudges.shape[1]):
        columns |= {f"mended_{k}": each.mended[which, k], f"nudge_{k}": each.nudges[which, k]}
    nothing = np.zeros_like(columns["step"])  # the lane may mend more sums, of other networks
    words = [0] * len(starts)
    at = 0
    for name, width in widths.items():
        mask = (1 << width) - 1
        values = columns.get(name, nothing).tolist()
        words = [word | (value & mask) << at for word, value in zip(words, values, strict=True)]
        at += width
    return words
