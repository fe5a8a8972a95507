"""What is proved of units and processing elements, as components that assert it."""

from amaranth import Module, Mux, Signal
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from rowloom.hw.pe import ProcessingElement
from rowloom.hw.units import make_unit
from rowloom.model.operation import Operation
from tests.hw.units.words import codes_of

WORD = ("activations", "weights", "live", "odd")


class SumProperty(wiring.Component):
    """A unit returns the sum of the products of two words, plus an offset that only the weights decide.

    In every cycle, whatever went before: ``latency`` cycles after a word of valid codes,
    ``sum << shift == a[0] * w[0] + ... + a[L-1] * w[L-1] + offset(w)``, or ``-abs(a - w)`` in the place of
    products for the adder operation, one more with ``odd`` if the
    unit has the half bit, and ``dead`` after a padded tap if that is given.
    """

    def __init__(self, case, *, unit=None):
        self.case = case
        self.unit = make_unit(case.spec, lanes=case.lanes) if unit is None else unit
        super().__init__({name: In(getattr(self.unit, name).shape()) for name in WORD})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self.unit
        m.d.comb += [getattr(unit, name).eq(getattr(self, name)) for name in WORD]
        want = expected(m, self.case, self)
        for cycle in range(unit.latency):
            want = later(m, want, name=f"want_q{cycle + 1}")
        m.d.comb += Assert(unit.sum << self.case.spec.shift == want)
        return m


class AccumulateProperty(wiring.Component):
    """An element hands out the total of the words since the last capture, or what the next row handed to it.

    In every cycle since reset: if the word of ``latency`` cycles ago was the last of its accumulation,
    ``sum`` becomes the total of this word and of all that were accumulated since the last such word;
    otherwise ``next_sum`` if ``shift``; otherwise it stays. In an element for bit planes a word with
    ``double`` counts what came before it twice. ``accumulate``, ``capture`` and ``double`` come with
    the word here, and are delayed as the element asks for.
    """

    def __init__(self, case, *, parameters, element=None):
        self.case = case
        self.element = ProcessingElement(parameters=parameters, products=case.lanes) if element is None else element
        self.doubles = parameters.planes
        names = (*WORD, "accumulate", "capture", "double", "shift", "next_sum")
        super().__init__({name: In(getattr(self.element, name).shape()) for name in names})

    def elaborate(self, platform):
        m = Module()
        m.submodules.element = element = self.element
        m.d.comb += [getattr(element, name).eq(getattr(self, name)) for name in (*WORD, "shift", "next_sum")]
        word, accumulate, capture, double = expected(m, self.case, self), self.accumulate, self.capture, self.double
        for cycle in range(element.unit.latency):
            word = later(m, word, name=f"word_q{cycle + 1}")
            accumulate = later(m, accumulate, name=f"accumulate_q{cycle + 1}")
            capture = later(m, capture, name=f"capture_q{cycle + 1}")
            double = later(m, double, name=f"double_q{cycle + 1}")
        m.d.comb += [element.accumulate.eq(accumulate), element.capture.eq(capture), element.double.eq(double)]

        total, want = Signal.like(self.next_sum), Signal.like(self.next_sum)
        twice = double if self.doubles else 0
        added = (total << twice) + (word >> self.case.spec.shift)
        m.d.sync += total.eq(Mux(accumulate, Mux(capture, 0, added), total))
        m.d.sync += want.eq(Mux(accumulate & capture, added, Mux(self.shift, self.next_sum, want)))
        m.d.comb += Assert(element.sum == want)
        return m


def expected(m, case, word):
    """What the sum of a word is to be, by integers; assumes that its codes are valid.

    A code means what its encoding's own ``decode`` says, not what the unit's gates make of it.
    """
    spec = case.spec
    codes = [
        (word.activations.word_select(i, spec.activations.bits), word.weights.word_select(i, spec.weights.bits))
        for i in range(case.lanes)
    ]
    a = [_meaning(m, code, spec.activations, name=f"a{i}") for i, (code, _) in enumerate(codes)]
    w = [_meaning(m, code, spec.weights, name=f"w{i}") for i, (_, code) in enumerate(codes)]
    m.d.comb += Assume(word.live | (word.activations == 0))
    pairs = zip(a, w, strict=True)
    products = [x * y if case.operation is Operation.MULTIPLY else -abs(x - y) for x, y in pairs]
    want = sum(products) + case.offset(w)
    if spec.half:
        want = want + word.odd
    return want if case.dead is None else Mux(word.live, want, case.dead)


def later(m, value, *, name):
    """``value`` a cycle later."""
    register = Signal(value.shape(), name=name)
    m.d.sync += register.eq(value)
    return register


def _meaning(m, code, encoding, *, name):
    codes = [int(c) for c in codes_of(encoding)]
    values = [int(v) for v in encoding.decode(codes)]
    value = Signal(range(min(values), max(values) + 1), name=name)
    known = Signal(name=f"{name}_known")
    with m.Switch(code):
        for c, v in zip(codes, values, strict=True):
            with m.Case(c & ((1 << encoding.bits) - 1)):
                m.d.comb += [value.eq(v), known.eq(1)]
    m.d.comb += Assume(known)
    return value
