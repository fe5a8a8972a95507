"""Population counts in LUT4s."""

from amaranth import Cat, Const

from rowloom.hw.units.tree import registered, tree_level
from rowloom.hw.units.triples import Triples

__all__ = ["count_four", "population_count"]


def count_four(bits):
    """Population count of up to four bits as logic, so that no carry chain is spent on it.

    A half adder takes two bits in two LUTs, with what two inputs each make of them; the sum of two
    2-bit numbers has four inputs and so takes three.
    """
    bits = [bits[i] if i < len(bits) else Const(0, 1) for i in range(4)]
    low0, high0 = bits[0] ^ bits[1], bits[0] & bits[1]
    low1, high1 = bits[2] ^ bits[3], bits[2] & bits[3]
    carry = low0 & low1
    return Cat(low0 ^ low1, high0 ^ high1 ^ carry, high0 & high1)


def population_count(m, platform, first, second, *, agree, name):
    """Terms whose sum is the number of lanes that agree, or that are set on both sides; at most two terms.

    On a platform with :class:`rowloom.hw.units.triples.Triples` the lanes are counted by three and the counts added in
    pairs, otherwise by four: in the same cycles.

    Parameters
    ----------
    platform : object or None
        As given to ``elaborate``.
    first, second : Value
    agree : bool
        Whether lanes count that are equal; otherwise those that are set on both sides.

    Returns
    -------
    list of (Value, int, int)
        Values with their least and greatest.
    int
        Registers passed: ``ceil(log2(ceil(lanes / 4)))``.
    """
    lanes = len(first)
    if hasattr(platform, "get_triples"):
        terms = _count_sixes(m, first, second, agree, name)
    else:
        bits = ~(first ^ second) if agree else first & second
        terms = [(count_four(bits[at : at + 4]), 0, min(4, lanes - at)) for at in range(0, lanes, 4)]
    depth = (-(-lanes // 4) - 1).bit_length()
    if depth:
        terms = [(registered(m, t, name=f"{name}_{i}"), low, high) for i, (t, low, high) in enumerate(terms)]
    for stage in range(2, depth + 1):
        terms = tree_level(m, terms, name=f"{name}_q{stage}")
    return terms, depth


def _count_sixes(m, first, second, agree, name):
    """Counts of six lanes, from two counts of three. Lanes beyond the last are neither equal nor set."""
    lanes = len(first)
    groups = -(-lanes // 3)
    absent = 3 * groups - lanes
    triples = Triples(groups=groups, xor=agree)
    m.submodules[f"{name}_triples"] = triples
    m.d.comb += [
        triples.first.eq(first),
        triples.second.eq(Cat(second, Const((1 << absent) - 1 if agree else 0, absent))),
    ]
    counts = [triples.counts.word_select(group, 2) for group in range(groups)]
    if agree:  # 3 less those that differ
        counts = [~count for count in counts]
    return [(_add_two(counts[at : at + 2]), 0, min(6, lanes - 3 * at)) for at in range(0, groups, 2)]


def _add_two(counts):
    """The sum of two 2-bit counts as logic, each bit of it a LUT4 of both."""
    if len(counts) == 1:
        return counts[0]
    a, b = counts
    carry = a[0] & b[0]
    return Cat(a[0] ^ b[0], a[1] ^ b[1] ^ carry, (a[1] & b[1]) | (carry & (a[1] | b[1])))
