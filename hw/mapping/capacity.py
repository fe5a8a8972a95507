"""What of an accelerator is fixed when it is built, in one table: what networks need of it against what it has."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import gcd, lcm
from typing import Any

from rowloom.hw.lane_parameters import ExtraLanes, LineParameters
from rowloom.hw.parameters import Hardware, SkipParameters
from rowloom.hw.units.nearest import pair_name
from rowloom.model.errors import RowloomError

__all__ = [
    "ARRAY_RULES",
    "EXTRA_RULES",
    "HARDWARE_RULES",
    "LINE_RULES",
    "SKIP_RULES",
    "VECTOR_RULES",
    "merge",
    "misfits",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a parameter is shared.

    Parameters
    ----------
    text : str
        What is said of ``need`` and ``has`` where the need is not met.
    enough : callable
        Whether what is there serves a need.
    both : callable
        What serves two needs, None if nothing does.
    """

    text: str
    enough: Callable[[Any, Any], bool]
    both: Callable[[Any, Any], Any]


def _most(text: str) -> Rule:
    """A capacity: the greatest need counts."""
    return Rule(text, lambda need, has: need <= has, max)


def _kinds(text: str) -> Rule:
    """A set of formats: all that occur."""
    return Rule(text, lambda need, has: set(need) <= set(has), lambda one, other: tuple(sorted({*one, *other})))


def _able(text: str) -> Rule:
    """Something that there is or is not."""
    return Rule(text, lambda need, has: has or not need, lambda one, other: one or other)


def _same(text: str) -> Rule:
    """A parameter that all networks share."""
    return Rule(text, lambda need, has: need == has, lambda one, other: one if one == other else None)


def _one(text: str) -> Rule:
    """A parameter of one value, 0 where it does not matter."""
    return Rule(
        text,
        lambda need, has: need in (0, has),
        lambda one, other: max(one, other) if 0 in (one, other, one - other) else None,
    )


#: Of an accelerator.
HARDWARE_RULES: dict[str, Rule] = {
    "cols": _same("{need} columns, there are {has}"),
    "group": _same("groups of {need} rows, there are {has}"),
    "drains": _same("{need} drain chains, there are {has}"),
    "banks": _same("{need} activation banks, there are {has}"),
    "lanes": _same("{need} lanes, there are {has}"),
    "logic_bits": _same("memories of {need} bits in look-up tables, there are {has}"),
    "load_bits": _same("a load port of {need} bits, it has {has}"),
    "single_port": _same("weight memories of one port: {need}, there are: {has}"),
    "weight_stream": _same("weights at {need} bits a cycle, they come at {has}"),
    "input_bits": _same("an input of {need} bit codes, it has {has} bits"),
    "bank_depth": _most("{need} words in each activation bank, there are {has}"),
    "word_bits": _most("activation words of {need} bits, there are {has}"),
    "write_step": Rule(
        "strips that are multiples of {need} rows, columns write in steps of {has}",
        lambda need, has: need % has == 0,
        gcd,
    ),
    "code_bits": _kinds("maps of codes of {need} bits, it writes {has}"),
    "pooled": _kinds("max pools of codes of (bits, signed) {need}, it pools {has}"),
    "levels": _most("codes of {need} bits, post-processing finds {has}"),
    "result_codes": _kinds("results of codes of (bits, signed) {need}, it gives {has}"),
    "result_shifts": _kinds("sums shifted by {need}, it shifts by {has}"),
    "outputs": Rule("{need} outputs, it gives {has}", lambda need, has: need <= 1 or has > 1, max),
    "pad_bits": Rule(
        "padding with codes of {need} bits, it pads with {has} bits",
        lambda need, has: not need or (has > 0 and has % need == 0),
        lambda one, other: lcm(one or other, other or one),
    ),
    "slices": _able("maps that are written in parts, it writes whole ones"),
    "sum_bits": _most("sums of {need} bits, there are {has}"),
    "threshold_depth": _most("{need} words in each threshold memory, there are {has}"),
    "result_lanes": _most("results of {need} lanes, there are {has}"),
    "result_cols": _most("results of {need} columns, there are {has}"),
    "result_depth": _most("{need} words in each result memory, there are {has}"),
    "count_bits": _most("counts of {need} bits, there are {has}"),
    "input_lanes": _most("input words of {need} codes, there are {has}"),
    "input_window": _same("input windows of {need} codes in several words, there are {has}"),
    "input_rows": _same("{need} input rows in a row of the banks, there are {has}"),
    "input_zero": _able("an input padded with another code than 0"),
    "input_planes": _able("an input stored as bit planes"),
    "layers": _most("{need} layers, the program memory has room for {has}"),
    "output_planes": _most("maps stored as {need} bit planes, it writes {has}"),
    "plane_pairs": _most("{need} rows in the table of bit planes, there are {has}"),
    "maps": _most("sums of {need} maps, it adds {has}"),
    "copies": _able("pixels that are read several times"),
    "squares": _able("pixels that become squares of pixels"),
    "result_squares": _able("pixels that leave as squares of pixels"),
    "parts": _able("layers that write a map part by part"),
}

#: Of an array, beside what makes it an array of its own.
ARRAY_RULES: dict[str, Rule] = {
    "weight_depth": _most("{need} words in each weight memory, there are {has}"),
    "sum_bits": _most("sums of {need} bits, there are {has}"),
    "half": _able("the half bit for padded odd numbers of channels"),
    "planes": _able("layers that run as bit planes"),
    "merged": _one("rows of {need} lanes side by side, there are {has}"),
}

#: Of a vector path.
VECTOR_RULES: dict[str, Rule] = {
    "drains": _most("{need} drain chains, there are {has}"),
    "weight_bits": _most("weights of {need} bits, there are {has}"),
    "weight_depth": _most("{need} words in the weight memory, there are {has}"),
    "sum_bits": _most("sums of {need} bits, there are {has}"),
}

#: Of lanes that divide.
LINE_RULES: dict[str, Rule] = {
    "fraction": _most("{need} fraction bits, there are {has}"),
    "step_bits": _most("steps of {need} bits, there are {has}"),
    "kept_bits": _most("differences of {need} bits, there are {has}"),
    "remainder_bits": _most("remainders of {need} bits, there are {has}"),
    "bent": _able("lanes that bend"),
    "mends": _most("{need} sums to mend in each filter, there are {has}"),
    "nudge_bits": _most("nudges of {need} bits, there are {has}"),
    "late": _able("lanes that take late filters"),
}


#: Of lanes that only the vector path uses.
EXTRA_RULES: dict[str, Rule] = {
    "count": _most("{need} of them, there are {has}"),
    "sum_bits": _most("sums of {need} bits, there are {has}"),
    "threshold_depth": _most("{need} words in each threshold memory, there are {has}"),
}

#: Of the table of words that are not left out.
SKIP_RULES: dict[str, Rule] = {
    "depth": _most("{need} entries, there are {has}"),
    "a_bits": _most("places of {need} bits in a bank, there are {has}"),
    "x_bits": _most("places of {need} bits across, there are {has}"),
    "y_bits": _most("places of {need} bits down, there are {has}"),
}


def misfits(needs: Hardware, built: Hardware) -> list[str]:
    """What a network needs and an accelerator lacks, a line for each; empty if it fits."""
    found = list(_lacks(HARDWARE_RULES, needs, built, "needs "))
    for array in needs.arrays:
        name = f"{array.unit} array for {pair_name(array.weights, array.activations)}"
        found += _of_kind(ARRAY_RULES, array, built.arrays, name)
    for path in needs.vectors:
        found += _of_kind(VECTOR_RULES, path, built.vectors, f"vector path for {path.activations}")
    if built.line is not None and needs.line is None:
        found.append("has thresholds that lie on no line, its lanes divide")
    elif built.line is not None and needs.line is not None:
        found += _lacks(LINE_RULES, needs.line, built.line, "the lanes need ")
    if needs.extra is not None:
        found += _lacks_extra(needs.extra, built.extra)
    if needs.skips is not None:
        if built.skips is None:
            found.append("leaves out words of weights, there is no table for that")
        else:
            found += _lacks(SKIP_RULES, needs.skips, built.skips, "the table of words needs ")
    return found


def _lacks_extra(need: ExtraLanes, has: ExtraLanes | None) -> Iterator[str]:
    """What is lacking in the lanes that only the vector path uses."""
    if has is None:
        yield "needs lanes of the vector path's own, there are none"
        return
    yield from _lacks(EXTRA_RULES, need, has, "the vector path's own lanes need ")
    if need.line is not None and has.line is not None:
        yield from _lacks(LINE_RULES, need.line, has.line, "the vector path's own lanes need ")


def _of_kind(rules: dict[str, Rule], need: Any, there: Sequence[Any], name: str) -> Iterator[str]:
    """What is lacking in the array or path of a kind."""
    same = [each for each in there if each.kind == need.kind]
    if not same:
        yield f"needs the {name}, there is none"
        return
    yield from _lacks(rules, need, same[0], f"the {name} needs ")


def _lacks(rules: dict[str, Rule], needs: Any, built: Any, subject: str) -> Iterator[str]:
    for name, rule in rules.items():
        need, has = getattr(needs, name), getattr(built, name)
        if not rule.enough(need, has):
            yield subject + rule.text.format(need=_tell(need), has=_tell(has))


def _tell(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def merge(several: Sequence[Hardware]) -> Hardware:
    """The least accelerator that has what every one of several has.

    Raises
    ------
    RowloomError
        If they differ in what all networks of one accelerator share.
    """
    return reduce(_merge, several)


def _merge(one: Hardware, other: Hardware) -> Hardware:
    line = _merge_lines(one, other)
    extra = _merge_extra(one.extra, other.extra)
    return replace(
        one,
        arrays=_merge_kinds(ARRAY_RULES, one.arrays, other.arrays),
        vectors=_merge_kinds(VECTOR_RULES, one.vectors, other.vectors),
        line=line,
        extra=replace(extra, line=extra.line if line else None) if extra else None,
        skips=_merge_skips(one.skips, other.skips),
        **_merge_fields(HARDWARE_RULES, one, other),
    )


def _merge_kinds(rules: dict[str, Rule], one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    merged = {each.kind: each for each in one}
    for each in other:
        here = merged.get(each.kind)
        merged[each.kind] = each if here is None else replace(here, **_merge_fields(rules, here, each))
    return tuple(merged.values())


def _merge_lines(one: Hardware, other: Hardware) -> LineParameters | None:
    """Lanes that divide where all networks have lines; codes of one bit have no need of either kind."""
    wide = [each for each in (one, other) if each.levels > 1]
    lines = [each.line for each in wide if each.line is not None]
    if len(lines) < len(wide) or not lines:
        return None
    return replace(lines[0], **_merge_fields(LINE_RULES, lines[0], lines[-1]))


def _merge_extra(one: ExtraLanes | None, other: ExtraLanes | None) -> ExtraLanes | None:
    if one is None or other is None:
        return one or other
    line = one.line or other.line
    if one.line is not None and other.line is not None:
        line = replace(one.line, **_merge_fields(LINE_RULES, one.line, other.line))
    return replace(one, line=line, **_merge_fields(EXTRA_RULES, one, other))


def _merge_skips(one: SkipParameters | None, other: SkipParameters | None) -> SkipParameters | None:
    if one is None or other is None:
        return one or other
    return replace(one, **_merge_fields(SKIP_RULES, one, other))


def _merge_fields(rules: dict[str, Rule], one: Any, other: Any) -> dict[str, Any]:
    values = {}
    for name, rule in rules.items():
        mine, theirs = getattr(one, name), getattr(other, name)
        values[name] = rule.both(mine, theirs)
        if values[name] is None:
            what = rule.text.format(need=_tell(theirs), has=_tell(mine))
            raise RowloomError("networks", f"do not share one accelerator: one needs {what} for the others")
    return values
