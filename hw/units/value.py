"""What a code means, in gates."""

from amaranth import Cat, Const, Mux, Signal

from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Uniform

__all__ = ["shape_of", "table", "value_of"]


def shape_of(low, high):
    """The narrowest shape that holds ``low`` to ``high``."""
    return Const(0, range(low, high + 1)).shape()


def value_of(m, code, encoding, *, name):
    """The integer that ``code`` means, as a value of the narrowest shape."""
    value = Signal(range(encoding.min, encoding.max + 1), name=name)
    if isinstance(encoding, Binary):
        m.d.comb += value.eq(Cat(Const(1, 1), ~code).as_signed())
    elif isinstance(encoding, Uniform):
        plain = code.as_signed() if encoding.signed else code
        m.d.comb += value.eq(plain - encoding.zero_point)
    elif isinstance(encoding, DoReFa):
        m.d.comb += value.eq(Cat(Const(1, 1), code[:-1], ~code[-1]).as_signed())
    elif isinstance(encoding, PowerOfTwo):
        magnitude = Mux(code[-1], -code, code)[: len(code)] if encoding.signed else code
        power = Signal(encoding.e_max + 1, name=f"{name}_power")
        with m.Switch(magnitude):
            for exponent in range(encoding.e_min, encoding.e_max + 1):
                with m.Case(exponent - encoding.e_min + 1):
                    m.d.comb += power.eq(1 << exponent)
        m.d.comb += value.eq(Mux(code[-1], -power, power) if encoding.signed else power)
    elif isinstance(encoding, Codebook):
        m.d.comb += value.eq(table(m, code, [int(v) for v in encoding.values], name=f"{name}_entry"))
    else:
        m.d.comb += value.eq(code.as_signed() if encoding.signed else code)
    return value


def table(m, index, entries, *, name):
    """The entry at ``index``, 0 beyond the last."""
    entry = Signal(range(min(*entries, 0), max(*entries, 0) + 1), name=name)
    with m.Switch(index):
        for i, value in enumerate(entries):
            if value:
                with m.Case(i):
                    m.d.comb += entry.eq(value)
    return entry
