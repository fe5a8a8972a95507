"""Pipelined adder trees."""

from amaranth import Module, Signal, signed, unsigned

__all__ = ["registered", "shape_for", "tree_level"]


def registered(m: Module, value, *, name: str):
    """``value`` a cycle later."""
    delayed = (
        Signal.like(value, name=name, reset_less=True)
        if isinstance(value, Signal)
        else Signal(value.shape(), name=name, reset_less=True)
    )
    m.d.sync += delayed.eq(value)
    return delayed


def tree_level(m: Module, terms, *, name: str):
    """One level of an adder tree: sums of neighbours, registered. An odd last term is passed on.

    Parameters
    ----------
    terms : list of (Value, int, int)
        Terms with their least and greatest value; the widths of the sums follow from these.
    """
    sums = []
    for at in range(0, len(terms), 2):
        pair = terms[at : at + 2]
        low, high = sum(t[1] for t in pair), sum(t[2] for t in pair)
        value = pair[0][0] + pair[1][0] if len(pair) == 2 else pair[0][0]
        result = Signal(shape_for(low, high), name=f"{name}_{at // 2}", reset_less=True)
        m.d.sync += result.eq(value)
        sums.append((result, low, high))
    return sums


def shape_for(low: int, high: int):
    """The narrowest shape that holds ``low`` to ``high``."""
    if low >= 0:
        return unsigned(max(1, high.bit_length()))
    return signed(max((-low - 1).bit_length(), high.bit_length()) + 1)
