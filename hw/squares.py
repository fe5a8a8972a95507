"""Where the words of pixels go that become squares of pixels."""

from amaranth import Module, Mux, Signal

from rowloom.hw.loops import Loop

__all__ = ["SquareWalk"]


class SquareWalk:
    """Walks through the words of squares: those of a pixel, the pixels of a line, the lines of a square.

    A line lies in the bank behind that of the line before it; the next square continues the first one's line.

    Parameters
    ----------
    m : Module
    hardware : Hardware
    program : data.View
        Record of the layer, constant while it runs. A layer without squares is one of squares of side 1.

    Attributes
    ----------
    bank : Signal
        Bank of the line.
    """

    def __init__(self, m: Module, hardware, program):
        self._m = m
        self._hardware = hardware
        self._program = program
        self._words = Loop(m, "square_words", program["o_words"])
        self._across = Loop(m, "square_across", program["o_side"])
        names = ("line", "square", "line_next", "square_next")
        self._line, self._square, line_next, square_next = (Signal(hardware.address_bits, name=name) for name in names)
        self.bank = Signal(hardware.bank_bits, name="line_bank", reset_less=True)
        last_bank = self.bank == hardware.banks - 1
        m.d.comb += [
            line_next.eq(Mux(last_bank, self._line + program["o_row"], self._line)),
            square_next.eq(self._square + program["o_square"]),
        ]
        self._line_next, self._square_next = line_next, square_next

    def begin(self, address, bank):
        """Statements for the first square of a strip of rows, whose first line lies there."""
        return [self._line.eq(address), self._square.eq(address), self.bank.eq(bank)]

    def restart(self):
        """Statements for the first word of a layer."""
        return [*self._words.restart(), *self._across.restart()]

    def advance(self, word, *, step, skip, last, bank):
        """Statements that lead from one word to the next.

        Parameters
        ----------
        word : Signal
            Address of the word, which becomes that of the next one.
        step, skip : value-castable
            From word to word, and further from pixel to pixel.
        last : Value
            It is the last word of a square.
        bank : Value
            Bank of a square's first line.
        """
        m = self._m
        self._words.advance()
        m.d.sync += word.eq(word + step)
        with m.If(self._words.last):
            self._across.advance()
            m.d.sync += word.eq(word + step + skip)
            with m.If(self._across.last):
                m.d.sync += [word.eq(self._line_next), self._line.eq(self._line_next), self.bank.eq(self.bank + 1)]
        with m.If(last):
            m.d.sync += [word.eq(self._square_next), *self.begin(self._square_next, bank)]
