"""The loader: lays an image from the input stream into the banks."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Loader"]


class Loader(wiring.Component):
    """Packs input codes into words, row y into bank ``y % banks``.

    Plain layout: a word holds ``word_codes`` channels of one pixel; the last word of a pixel holds
    ``tail_codes``. Packed layout, for images of few channels: a word holds the window of kernel
    columns of one output column, ``word_codes`` codes that overlap with the next window's, so that
    a kernel row is one word.

    Latency
    -------
    One code a cycle, except for the zeros that pad the right edge of a packed row, and while the
    writer is busy with the bank.

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

    def __init__(self, *, hardware, program):
        self.hardware = hardware
        super().__init__({
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
        })

    def elaborate(self, platform):
        m = Module()
        hw, program = self.hardware, self.program
        n = hw.count_bits
        lanes, bits = hw.input_lanes, hw.input_bits

        window = Signal(lanes * bits, reset_less=True)
        place = Signal(n, reset_less=True)  # lane that the next code enters
        codes_left = Signal(n, reset_less=True)  # of this word, less one
        pixel_left = Signal(n, reset_less=True)  # codes of this pixel after this word
        columns_left = Signal(n, reset_less=True)
        padding = Signal()  # right of the map
        skip = Signal(n, reset_less=True)  # columns until the next window
        rows_left = Signal(n, reset_less=True)
        bank = Signal(hw.bank_bits, reset_less=True)
        row, address = Signal(hw.address_bits, reset_less=True), Signal(hw.address_bits, reset_less=True)
        filling = Signal()

        pending = Signal()  # the window is to be written
        taken = Signal()
        m.d.comb += [
            self.load_enable.eq(pending),
            self.load_bank.eq(bank),
            self.load_address.eq(address),
            self.load_data.eq(window),
            taken.eq(pending & self.load_ready),
        ]

        def open_word(codes):
            """Registers for the next word, ``codes`` of its pixel being left."""
            full = codes > program["word_codes"]
            entering = Mux(full, program["word_codes"], Mux(program["packed"], codes, program["tail_codes"]))
            return [
                place.eq(Mux(program["packed"], program["word_codes"], entering) - 1),
                codes_left.eq(entering - 1),
                pixel_left.eq(Mux(full, codes - program["word_codes"], 0)),
            ]

        open_row = [
            window.eq(0),
            columns_left.eq(program["width"] - 1),
            padding.eq(0),
            skip.eq(program["skip"]),
            *open_word(program["pixel_codes"]),
        ]
        open_image = [
            *open_row,
            rows_left.eq(program["height"] - 1),
            bank.eq(0),
            row.eq(program["a_first"]),
            address.eq(program["a_first"]),
        ]

        # A window is written; a plain word starts anew.
        kept = Signal.like(window)
        m.d.comb += kept.eq(Mux(taken & ~program["packed"], 0, window))
        with m.If(taken):
            m.d.sync += [pending.eq(0), address.eq(address + 1), window.eq(kept)]

        # A code enters, or a zero right of the map; not while a window waits to be written.
        enter, code, room = Signal(), Signal(bits), Signal()
        row_end = Signal()
        m.d.comb += [
            room.eq(filling & ~row_end & (~pending | taken)),
            self.input.ready.eq(room & ~padding),
            code.eq(Mux(padding, 0, self.input.payload)),
            enter.eq(room & (padding | self.input.valid)),
        ]
        word_end, pixel_end = Signal(), Signal()
        m.d.comb += [word_end.eq(codes_left == 0), pixel_end.eq(word_end & (pixel_left == 0))]
        shifted = Cat(
            Mux(place == i, code, kept.word_select(i + 1, bits) if i + 1 < lanes else 0) for i in range(lanes)
        )
        with m.If(enter):
            m.d.sync += [window.eq(shifted), codes_left.eq(codes_left - 1)]
            with m.If(word_end):
                m.d.sync += pending.eq(~program["packed"] | (skip == 0))
                m.d.sync += skip.eq(Mux(skip == 0, program["stride"] - 1, skip - 1))
            with m.If(word_end & ~pixel_end):
                m.d.sync += open_word(pixel_left)
            with m.If(pixel_end):
                m.d.sync += [*open_word(program["pixel_codes"]), columns_left.eq(columns_left - 1)]
                with m.If(columns_left == 0):
                    with m.If(padding | (program["pad"] == 0)):
                        m.d.sync += row_end.eq(1)
                    with m.Else():
                        m.d.sync += [columns_left.eq(program["pad"] - 1), padding.eq(1)]

        # The end of a row waits for its last window.
        with m.If(row_end & (~pending | taken)):
            bank_next = (bank + 1)[: hw.bank_bits]
            row_next = Mux(bank_next == 0, row + program["a_row"], row)
            m.d.sync += [row_end.eq(0), *open_row, rows_left.eq(rows_left - 1)]
            m.d.sync += [bank.eq(bank_next), row.eq(row_next), address.eq(row_next)]
            with m.If(rows_left == 0):
                m.d.sync += filling.eq(0)
                m.d.comb += self.loaded.eq(1)
        started = Signal()
        with m.If(self.start):
            m.d.sync += started.eq(1)
        with m.If(started & self.free & ~filling & ~self.loaded):
            m.d.sync += [filling.eq(1), pending.eq(0), *open_image]
        return m
