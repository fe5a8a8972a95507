"""Population counts in LUT4s."""

from amaranth import Cat, Const

from rowloom.hw.units.tree import registered, tree_level

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


def population_count(m, bits, *, name):
    """Terms whose sum is the population count, at most two of them, and the cycles that they take.

    Returns
    -------
    list of (Value, int, int)
        Values with their least and greatest.
    int
        Registers passed.
    """
    terms = [(count_four(bits[at : at + 4]), 0, min(4, len(bits) - at)) for at in range(0, len(bits), 4)]
    depth = 0
    if len(terms) > 1:
        depth = 1
        terms = [(registered(m, t, name=f"{name}_{i}"), low, high) for i, (t, low, high) in enumerate(terms)]
    while len(terms) > 2:
        depth += 1
        terms = tree_level(m, terms, name=f"{name}_q{depth}")
    return terms, depth
