"""The retire nest: where the results of a layer go."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.loops import Loop
from rowloom.hw.postprocess import STAGE
from rowloom.hw.squares import SquareWalk

__all__ = ["RetireNest"]


class RetireNest(wiring.Component):
    """Counts results out of a layer: emission, word, pixel, strip; and says where each goes.

    An emission is one code of every drain lane, or one pooled word. A pixel has ``emissions`` of
    them, of which the first ``emissions_used`` hold channels; ``word_emissions`` fill a word.
    Output row e lies in bank ``e % banks`` at ``o_first + e // banks * o_row``; of a layer that writes
    a part of a map, row 0 in bank ``o_bank``.

    Where pixels become squares of pixels, the words of a pixel are those of a square, line by line. A
    row of the strip then takes ``o_side`` + 1 output rows, and column q writes row
    ``q * (o_side + 1)`` and those that follow.

    Latency
    -------
    ``threshold_address`` belongs to the emission announced by ``emit`` in the same cycle.
    ``code_*`` follow ``emit`` by ``hardware.code_cycles`` cycles, ``word_*`` by one more, ``done`` by three more;
    in the pooling engine ``word_*`` follow by 4, ``done`` by 6, and there are no codes.

    Members
    -------
    start : In(1)
        Strobe, with the layer's ``program``.
    emit : In(1)
        An emission is announced.
    threshold_address : Out(threshold_address_bits)
    code_enable : Out(1)
        The lanes' codes are there and count.
    code_first, code_slot : Out
        They open a word; their place in it.
    word_enable : Out(1)
        A word is complete.
    word_address, word_address_next : Out(address_bits)
        Its address in the strip's row of banks, and in the next.
    word_bank : Out(bank_bits)
        Bank of column 0.
    column_{q} : Out(1)
        Column q holds an output row.
    done : Out(1)
        Strobe: the last word of the layer is in its bank.
    """

    start: Signal
    emit: Signal
    threshold_address: Signal
    code_enable: Signal
    code_first: Signal
    code_slot: Signal
    word_enable: Signal
    word_address: Signal
    word_address_next: Signal
    word_bank: Signal
    done: Signal

    def __init__(self, *, hardware, program):
        self.hardware = hardware
        members = {
            "start": In(1),
            "program": In(program),
            "emit": In(1),
            "threshold_address": Out(hardware.threshold_address_bits),
            "code_enable": Out(1),
            "code_first": Out(1),
            "code_slot": Out(range(max(2, hardware.lanes // hardware.drains))),
            "word_enable": Out(1),
            "word_address": Out(hardware.address_bits),
            "word_address_next": Out(hardware.address_bits),
            "word_bank": Out(hardware.bank_bits),
            "done": Out(1),
        }
        for q in range(hardware.cols):
            members[f"column_{q}"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw, program = self.hardware, self.program

        # Cycle 0: which emission this is.
        emissions = Loop(m, "emissions", program["emissions"])
        pixels = Loop(m, "pixels", program["pixels"])
        strips = Loop(m, "strips", program["strips"])
        words = Loop(m, "word_emissions", program["word_emissions"])
        used_left = Signal.like(program["emissions_used"], reset_less=True)
        used, used_end, slot = Signal(reset_less=True), Signal(), Signal.like(self.code_slot)
        word_first = Signal()
        m.d.comb += used_end.eq(used & (used_left == 0))
        pixel_end, strip_end, layer_end, word_end = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            pixel_end.eq(self.emit & emissions.last),
            strip_end.eq(pixel_end & pixels.last),
            layer_end.eq(strip_end & strips.last),
            word_end.eq(self.emit & used & (words.last | used_end)),
        ]
        restart_pixel = [
            used_left.eq(program["emissions_used"]),
            used.eq(1),
            slot.eq(0),
            word_first.eq(1),
            self.threshold_address.eq(program["t_first"]),
            *words.restart(),
        ]
        with m.If(self.emit):
            emissions.advance()
            words.advance()
            m.d.sync += [
                used_left.eq(used_left - 1),
                self.threshold_address.eq(self.threshold_address + 1),
                slot.eq(Mux(words.last, 0, slot + 1)),
                word_first.eq(words.last),
            ]
            with m.If(used_left == 0):
                m.d.sync += used.eq(0)
        with m.If(pixel_end):
            pixels.advance()
            m.d.sync += restart_pixel
        with m.If(strip_end):
            strips.advance()
        with m.If(self.start):
            m.d.sync += [*restart_pixel, *emissions.restart(), *pixels.restart(), *strips.restart()]

        def later(value, cycles, name):
            for i in range(cycles):
                delayed = Signal.like(value, name=f"{name}_q{i + 1}")
                m.d.sync += delayed.eq(value)
                value = delayed
            return value

        used_emission, slot_now, first_now = Signal(), Signal.like(slot), Signal()
        # Pooled words need no codes: late ones would fall into the next layer.
        pooling = program["engine"] == hw.pool
        m.d.comb += [used_emission.eq(self.emit & used & ~pooling), slot_now.eq(slot), first_now.eq(word_first)]
        to_code = hw.code_cycles
        m.d.comb += [
            self.code_enable.eq(later(used_emission, to_code, "code_enable")),
            self.code_slot.eq(later(slot_now, to_code, "code_slot")),
            self.code_first.eq(later(first_now, to_code, "code_first")),
        ]

        # Pooled words need no thresholds.
        next_strip, next_pixel, done = Signal(), Signal(), Signal()
        for target, flag, name in (
            (self.word_enable, word_end, "word_enable"),
            (next_pixel, word_end & used_end, "pixel_end"),
            (next_strip, strip_end, "strip_end"),
            (done, layer_end, "layer_end"),
        ):
            pooled, code = Signal(name=f"{name}_pooled"), Signal(name=f"{name}_code")
            m.d.comb += [pooled.eq(flag & pooling), code.eq(flag & ~pooling)]
            m.d.comb += target.eq(later(pooled, STAGE + 1, f"{name}_pooled") | later(code, to_code + 1, f"{name}_code"))
        m.d.comb += self.done.eq(later(done, 2, "done"))

        # Where its word goes.
        o_strip = program["o_strip"] if hw.squares else program["strip"]
        row, word = Signal(hw.address_bits, reset_less=True), Signal(hw.address_bits, reset_less=True)
        bank = Signal(hw.bank_bits, reset_less=True)
        rows_left = Signal(program["o_height"].shape(), reset_less=True)
        bank_next = Signal(hw.bank_bits + o_strip.shape().width)
        row_next = Signal(hw.address_bits)
        wraps = bank_next >= hw.banks
        row_step = Mux(wraps, row + program["o_row"], row)
        squares = SquareWalk(m, hw, program) if hw.squares else None
        if squares:
            row_step = row + Mux(wraps, program["o_strip_next"], program["o_strip_row"])
        m.d.comb += [
            bank_next.eq(bank + o_strip),
            row_next.eq(row_step),
            self.word_address.eq(word),
            self.word_address_next.eq(word + program["o_row"]),
            self.word_bank.eq(squares.bank if squares else bank),
        ]
        step = program["o_word"] if hw.output_planes else 1
        skip = program["o_skip"] if hw.slices else 0
        first_bank = program["o_bank"] if hw.parts else 0
        with m.If(self.word_enable):
            if squares:
                squares.advance(word, step=step, skip=skip, last=next_pixel, bank=bank)
            else:
                m.d.sync += word.eq(word + step + (Mux(next_pixel, skip, 0) if hw.slices else 0))
        with m.If(next_strip):
            m.d.sync += [
                bank.eq(bank_next[: hw.bank_bits]),
                row.eq(row_next),
                word.eq(row_next),
                rows_left.eq(rows_left - program["strip"]),
                *(squares.begin(row_next, bank_next[: hw.bank_bits]) if squares else ()),
            ]
        with m.If(self.start):
            m.d.sync += [
                bank.eq(first_bank),
                row.eq(program["o_first"]),
                word.eq(program["o_first"]),
                rows_left.eq(program["o_height"]),
                *((*squares.begin(program["o_first"], first_bank), *squares.restart()) if squares else ()),
            ]
        for q in range(hw.cols):
            m.d.comb += getattr(self, f"column_{q}").eq(_more(rows_left, q) & _more(program["strip"], q))
        return m


def _more(value, limit):
    """Whether ``value`` exceeds a small constant, without a carry chain over all its bits."""
    bits = max(1, limit.bit_length())
    return value[bits:].any() | (value[:bits] > limit)
