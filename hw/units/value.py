"""What a code means, in gates."""

from amaranth import Cat, Const, Mux, Signal

from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Uniform

__all__ = ["code_of", "known", "table", "value_of"]


def code_of(bits, encoding):
    """The code that these bits are."""
    return bits - (1 << encoding.bits) if encoding.signed and bits >> (encoding.bits - 1) else bits


def known(bits, encoding):
    """Whether these bits are a code at all."""
    return encoding.code_min <= code_of(bits, encoding) <= encoding.code_max


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
    """The entry at ``index``, 0 beyond the last.

    Each bit of the entries is a decision diagram over the bits of the index, with equal parts shared, so that
    synthesis sees two-way choices and constants instead of a comparison for every entry.
    """
    entry = Signal(range(min(*entries, 0), max(*entries, 0) + 1), name=name)
    padded = [*entries, *[0] * ((1 << len(index)) - len(entries))]
    known: dict[tuple[tuple[int, ...], int], Signal] = {}

    def decide(truth, depth):
        if not any(truth):
            return Const(0, 1)
        if all(truth):
            return Const(1, 1)
        if (truth, depth) not in known:
            half = len(truth) // 2
            low, high = decide(truth[:half], depth - 1), decide(truth[half:], depth - 1)
            choice = Signal(name=f"{name}_{depth}_{len(known)}")
            m.d.comb += choice.eq(low if truth[:half] == truth[half:] else Mux(index[depth], high, low))
            known[truth, depth] = choice
        return known[truth, depth]

    bits = [decide(tuple(value >> bit & 1 for value in padded), len(index) - 1) for bit in range(len(entry))]
    m.d.comb += entry.eq(Cat(bits))
    return entry
