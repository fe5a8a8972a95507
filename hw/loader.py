"""The loader: lays an image from the input stream into the banks."""

from amaranth import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.loops import Loop

__all__ = ["Loader"]


class Loader(wiring.Component):
    """Packs input codes into words, row y into bank ``y % banks``.

    Plain layout: a word holds ``word_codes`` channels of one pixel; the last word of a pixel holds
    ``tail_codes``. Packed layout, for images of few channels: a word holds the window of kernel
    columns of one output column, codes that overlap with the next window's, so that a kernel row is
    one word; or several (``hardware.input_words``), written one after the other. A row of the banks
    may hold several input rows (``hardware.input_rows``), whose windows follow each other in a pixel.
    Plane by plane, a word is written as one word for each bit of its codes, bit 0 first.

    Latency
    -------
    One code a cycle, and one cycle for each further word of a window or plane of a word; except for the
    zeros that pad the right edge of a packed row, and while the writer is busy with the bank.

    Members
    -------
    program : In(record)
        Input record, constant after ``start``.
    start : In(1)
        Strobe: the record is there, begin with the first image.
    input : In(stream)
        Codes in the order y, x, c.
    free : In(1)
        The input region may be overwritten.
    loaded : Out(1)
        Strobe: an image is complete.
    load_enable, load_bank, load_address, load_data : Out
    load_ready : In(1)
        As in :class:`rowloom.hw.writer.BankWriter`.
    stop : In(1)
        Wait for ``start`` again; only where another program may come.
    """

    start: Signal
    input: stream.Interface
    free: Signal
    loaded: Signal
    load_enable: Signal
    load_bank: Signal
    load_address: Signal
    load_data: Signal
    load_ready: Signal
    stop: Signal

    def __init__(self, *, hardware, program):
        self.hardware = hardware
        members = {
            "program": In(program),
            "start": In(1),
            "input": In(stream.Signature(unsigned(hardware.input_bits))),
            "free": In(1),
            "loaded": Out(1),
            "load_enable": Out(1),
            "load_bank": Out(hardware.bank_bits),
            "load_address": Out(hardware.address_bits),
            "load_data": Out(hardware.word_bits),
            "load_ready": In(1),
        }
        if hardware.load_bits:
            members["stop"] = In(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw, program = self.hardware, self.program
        lanes, bits = hw.input_window or hw.input_lanes, hw.input_bits  # codes that are put together

        window = Signal(lanes * bits, reset_less=True)
        zero, opening = 0, 0  # what pads a packed row, and what its first window begins with
        if hw.input_zero:
            zero = program["zero"]
            opening = Cat(Mux(program["packed"] & (i <= program["tail_place"]), zero, 0) for i in range(lanes))
        place = Signal.like(program["place"], reset_less=True)  # lane that the next code enters
        codes_left = Signal.like(program["word_codes"], reset_less=True)  # of this word, less one
        words = Loop(m, "words", program["words"])
        columns = Loop(m, "columns", program["width"])
        rows = Loop(m, "rows", program["height"])
        pad_columns = Loop(m, "pad_columns", program["pad"])
        padding = Signal()  # right of the map
        skip = Signal.like(program["skip"], reset_less=True)  # columns until the next window
        bank = Signal(hw.bank_bits, reset_less=True)
        row, address = Signal(hw.address_bits, reset_less=True), Signal(hw.address_bits, reset_less=True)
        filling, row_end = Signal(), Signal()
        # Which input row of a row of the banks this is, and where its first word lies.
        turn, start = Signal(range(max(2, hw.input_rows))), Signal(hw.address_bits, reset_less=True)
        row_words = -(-lanes // hw.input_lanes)  # of a pixel, in an input row

        def open_word(last):
            """Registers for the next word of a pixel."""
            return [
                place.eq(Mux(last, program["tail_place"], program["place"])),
                codes_left.eq(Mux(last, program["tail_codes"], program["word_codes"])),
            ]

        open_row = [
            *open_word(program["words"] == 0),
            *words.restart(),
            *columns.restart(),
            *pad_columns.restart(),
            padding.eq(0),
            skip.eq(program["skip"]),
        ]

        # A window is written; a plain word starts anew.
        pending, taken = Signal(), Signal()  # the window is to be written; all of it is
        written, word = Signal(), window
        m.d.comb += [written.eq(pending & self.load_ready), taken.eq(written)]
        if hw.input_planes:
            plane = Signal(range(bits))
            word = Array(Cat(window[lane * bits + i] for lane in range(lanes)) for i in range(bits))[plane]
            last_plane = plane == bits - 1
            if "planar" in program.shape().members:
                word = Mux(program["planar"], word, window)
                last_plane = last_plane | ~program["planar"]
            m.d.comb += taken.eq(written & last_plane)
            with m.If(written):
                m.d.sync += plane.eq(Mux(taken, 0, plane + 1))
        if hw.input_window:
            size = hw.input_lanes * bits
            parts = [window[at : at + size] for at in range(0, lanes * bits, size)]
            part = Signal(range(len(parts)))
            word = Array(parts)[part]
            m.d.comb += taken.eq(written & (part == len(parts) - 1))
            with m.If(written):
                m.d.sync += part.eq(Mux(taken, 0, part + 1))
        kept = Signal.like(window)
        m.d.comb += [
            self.load_enable.eq(pending),
            self.load_bank.eq(bank),
            self.load_address.eq(address),
            self.load_data.eq(word),
            kept.eq(Mux(taken & ~program["packed"], 0, window)),
        ]
        with m.If(written):
            m.d.sync += address.eq(address + 1)
        with m.If(taken):
            m.d.sync += [pending.eq(0), window.eq(kept)]
            if hw.input_rows > 1:  # a pixel goes on with the words of other input rows
                m.d.sync += address.eq(address + 1 + (hw.input_rows - 1) * row_words)

        # A code enters, or a zero right of the map; not while a window waits to be written.
        room, enter, code = Signal(), Signal(), Signal(bits)
        word_end, pixel_end = Signal(), Signal()
        m.d.comb += [
            room.eq(filling & ~row_end & (~pending | taken)),
            self.input.ready.eq(room & ~padding),
            enter.eq(room & (padding | self.input.valid)),
            code.eq(Mux(padding, zero, self.input.payload)),
            word_end.eq(enter & (codes_left == 0)),
            pixel_end.eq(word_end & words.last),
        ]
        shifted = Cat(
            Mux(place == i, code, kept.word_select(i + 1, bits) if i + 1 < lanes else 0) for i in range(lanes)
        )
        with m.If(enter):
            m.d.sync += [window.eq(shifted), codes_left.eq(codes_left - 1)]
        with m.If(word_end):
            words.advance()
            m.d.sync += [
                *open_word(Mux(words.last, program["words"] == 0, words.second_last)),
                pending.eq(~program["packed"] | (skip == 0)),
                skip.eq(Mux(skip == 0, program["stride"], skip - 1)),
            ]
        with m.If(pixel_end):
            with m.If(padding):
                pad_columns.advance()
                m.d.sync += row_end.eq(pad_columns.last)
            with m.Else():
                columns.advance()
                m.d.sync += [
                    padding.eq(columns.last & program["padded"]),
                    row_end.eq(columns.last & ~program["padded"]),
                ]

        # The end of a row waits for its last window.
        with m.If(row_end & (~pending | taken)):
            bank_next = (bank + 1)[: hw.bank_bits]
            row_next = Mux(bank_next == 0, row + program["a_row"], row)
            rows.advance()
            m.d.sync += [row_end.eq(0), window.eq(opening), *open_row]
            m.d.sync += [bank.eq(bank_next), row.eq(row_next), address.eq(row_next)]
            if hw.input_rows > 1:
                m.d.sync += [turn.eq(turn + 1), start.eq(start + row_words)]
                with m.If(turn == hw.input_rows - 1):
                    m.d.sync += [turn.eq(0), start.eq(row_next)]
                with m.Else():
                    m.d.sync += [bank.eq(bank), row.eq(row), address.eq(start + row_words)]
            with m.If(rows.last):
                m.d.sync += filling.eq(0)
                m.d.comb += self.loaded.eq(1)

        started = Signal()
        with m.If(self.start):
            m.d.sync += started.eq(1)
        if hw.load_bits:
            with m.If(self.stop):
                m.d.sync += [started.eq(0), filling.eq(0), pending.eq(0), row_end.eq(0)]
        with m.If(started & self.free & ~filling):
            m.d.sync += [
                filling.eq(1),
                pending.eq(0),
                window.eq(opening),
                *open_row,
                *rows.restart(),
                bank.eq(0),
                row.eq(program["a_first"]),
                address.eq(program["a_first"]),
            ]
            if hw.input_rows > 1:
                m.d.sync += [turn.eq(0), start.eq(program["a_first"])]
        return m
