"""Resolved parameters of the lanes that turn sums into codes."""

from dataclasses import dataclass

__all__ = ["ExtraLanes", "LineParameters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineParameters:
    """Widths of post-processing by division, see :class:`rowloom.hw.linear.LinearLane`.

    Parameters
    ----------
    fraction : int
        Fraction bits of steps and starts.
    step_bits : int
        Bits of a step.
    kept_bits : int
        Low bits of a difference that are divided; where the others differ from them all bits of a code are alike.
    remainder_bits : int
        Bits of a remainder.
    bent : bool
        Whether a filter has two starts, one for each side of its threshold.
    mends : int
        Sums of a filter that are divided as one beside them.
    nudge_bits : int
        Bits of the distance to that one.
    late : bool
        Whether a filter's odd thresholds may leave out the sum that lies on its line.
    """

    fraction: int
    step_bits: int
    kept_bits: int
    remainder_bits: int
    bent: bool
    mends: int = 0
    nudge_bits: int = 0
    late: bool = False

    @property
    def turns(self) -> bool:
        """Whether a cycle passes between the difference and its division: the start is chosen, or the sum mended."""
        return self.bent or self.mends > 0

    def fields(self, *, sum_bits: int, levels: int) -> dict[str, int]:
        """Fields of a filter's word and their widths, from the low bits up."""
        starts = {"start": self.fraction}
        if self.bent:
            starts = {"start_0": self.remainder_bits, "start_1": self.remainder_bits}
        mends: dict[str, int] = {}
        for k in range(self.mends):
            mends |= {f"mended_{k}": sum_bits, f"nudge_{k}": self.nudge_bits}
        late = {"late": 1} if self.late else {}
        return {"threshold": sum_bits} | starts | {"step": self.step_bits, "flip": levels} | late | mends


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraLanes:
    """Post-processing lanes of a column that only the vector path uses, behind those that the arrays use too.

    Parameters
    ----------
    count : int
    sum_bits : int
        Bits of a sum.
    threshold_depth : int
        Words of each lane's threshold memory.
    line : LineParameters or None
        As in :class:`Hardware`.
    """

    count: int
    sum_bits: int
    threshold_depth: int
    line: LineParameters | None
