"""The results: what the last layer leaves, buffered and streamed out."""

from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.loops import Loop

__all__ = ["Results"]


class Results(wiring.Component):
    """Keeps the sums or codes of a final layer and streams them in the order y, x, c.

    The layer writes without waiting, so back-pressure on the output never changes how many cycles
    a layer takes; the next image's final layer waits until the results are gone (``busy``).

    Members
    -------
    program : In(record)
        Layer record, constant from ``start`` to ``done``.
    start : In(1)
        Strobe: the layer begins.
    done : In(1)
        Strobe: the layer has written its last emission.
    enable : In(1)
        An emission is there.
    value_{k}_{q} : In(signed(sum_bits))
        Value of drain lane k of column q.
    output : Out(stream of {value, last})
        ``last`` marks the last value of an image.
    busy : Out(1)
        Results wait to be streamed.
    """

    start: Signal
    done: Signal
    enable: Signal
    output: stream.Interface
    busy: Signal

    def __init__(self, *, hardware, program):
        self.hardware = hardware
        self.value_bits = hardware.sum_bits
        payload = data.StructLayout({"value": signed(self.value_bits), "last": 1})
        members = {
            "program": In(program),
            "start": In(1),
            "done": In(1),
            "enable": In(1),
            "output": Out(stream.Signature(payload)),
            "busy": Out(1),
        }
        for q in range(hardware.result_cols):
            for k in range(hardware.result_lanes):
                members[f"value_{k}_{q}"] = In(signed(self.value_bits))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw = self.hardware
        depth = hw.result_depth
        bits = max(1, (depth - 1).bit_length())

        # Write: one word of all lanes an emission.
        write_address = Signal(bits, reset_less=True)
        with m.If(self.enable):
            m.d.sync += write_address.eq(write_address + 1)
        with m.If(self.start):
            m.d.sync += write_address.eq(0)
        read_address = Signal(bits)
        words = []
        for q in range(hw.result_cols):
            store = memory.Memory(
                shape=data.ArrayLayout(signed(self.value_bits), hw.result_lanes),
                depth=depth,
                init=[],
                attrs={"ram_style": "logic"} if depth * hw.result_lanes * self.value_bits <= hw.logic_bits else {},
            )
            m.submodules[f"column_{q}"] = store
            write, read = store.write_port(), store.read_port(domain="sync")
            m.d.comb += [write.en.eq(self.enable), write.addr.eq(write_address), read.addr.eq(read_address)]
            m.d.comb += [write.data[k].eq(getattr(self, f"value_{k}_{q}")) for k in range(hw.result_lanes)]
            words.append(read.data)

        # Read: strips, the columns of a strip, pixels, channels.
        n = hw.count_bits
        program = Signal.like(self.program)  # the sequencer goes on to other layers meanwhile
        with m.If(self.start):
            m.d.sync += program.eq(self.program)
        strip_base, address = Signal(bits, reset_less=True), Signal(bits, reset_less=True)
        column = Signal(range(max(2, hw.result_cols)), reset_less=True)
        lane = Signal(range(max(2, hw.result_lanes)), reset_less=True)
        channel = Signal(n, reset_less=True)
        rows_left = Signal(n, reset_less=True)
        pixels = Loop(m, "pixels", program["pixels"])
        ends = program["last_output"] if hw.outputs > 1 else 1
        last_lane = hw.drains - 1
        if hw.result_lanes > hw.drains:
            last_lane = Mux(program["wide"], hw.result_lanes - 1, last_lane)
        last_channel = channel == program["channels"]
        last_row = rows_left == 1
        restarts = pixels.restart()
        last_pixel = pixels.last
        if hw.result_squares:
            # Squares of pixels: a line of all squares of a row, then the next one.
            across, lines = (Loop(m, name, program["r_across"]) for name in ("across", "lines"))
            line_base = Signal(bits, reset_less=True)
            restarts += [*across.restart(), *lines.restart(), line_base.eq(0)]
            last_pixel &= across.last & lines.last
        m.d.comb += read_address.eq(address)

        # A value is picked, compared with the best one so far, and offered: a register behind each step.
        picked = Signal(data.StructLayout({"value": signed(self.value_bits), "channel": n, "end": 1, "last": 1}))
        is_picked, offered, room = Signal(), Signal(), Signal()
        m.d.comb += [
            offered.eq(is_picked & (~self.output.valid | self.output.ready)),
            room.eq(~is_picked | offered),
        ]
        best, best_channel = Signal(signed(self.value_bits), reset_less=True), Signal(n, reset_less=True)
        better = (picked.channel == 0) | (picked.value > best)
        with m.If(self.output.ready):
            m.d.sync += self.output.valid.eq(0)
        with m.If(offered):
            m.d.sync += [
                is_picked.eq(0),
                self.output.payload.value.eq(
                    Mux(program["argmax"], Mux(better, picked.channel, best_channel), picked.value)
                ),
                self.output.payload.last.eq(picked.last),
                self.output.valid.eq(~program["argmax"] | picked.end),
            ]
            with m.If(better):
                m.d.sync += [best.eq(picked.value), best_channel.eq(picked.channel)]

        with m.FSM():
            with m.State("idle"):
                with m.If(self.done):
                    m.d.sync += [
                        self.busy.eq(1),
                        strip_base.eq(0),
                        address.eq(0),
                        column.eq(0),
                        lane.eq(0),
                        channel.eq(0),
                        rows_left.eq(program["o_height"]),
                        *restarts,
                    ]
                    m.next = "fetch"
            with m.State("fetch"):
                m.next = "pick"
            with m.State("pick"):
                with m.If(room):
                    m.d.sync += [
                        is_picked.eq(1),
                        picked.value.eq(Array(words)[column][lane]),
                        picked.channel.eq(channel),
                        picked.end.eq(last_channel),
                        picked.last.eq(last_channel & last_pixel & last_row & ends),
                        channel.eq(channel + 1),
                        lane.eq(lane + 1),
                    ]
                    with m.If((lane == last_lane) | last_channel):
                        m.d.sync += [lane.eq(0), address.eq(address + 1)]
                        m.next = "fetch"
                    with m.If(last_channel):
                        m.d.sync += channel.eq(0)
                        if hw.result_squares:
                            self._next_of_square(m, program, across, lines, pixels, address, line_base, strip_base)
                        else:
                            pixels.advance()
                        with m.If(last_pixel):
                            m.d.sync += [column.eq(column + 1), rows_left.eq(rows_left - 1), address.eq(strip_base)]
                            with m.If(column == program["strip"] - 1):
                                m.d.sync += [column.eq(0), strip_base.eq(address + 1), address.eq(address + 1)]
                                if hw.result_squares:
                                    m.d.sync += line_base.eq(address + 1)
                            with m.If(last_row):
                                m.next = "empty"
            with m.State("empty"):
                with m.If(~is_picked & ~self.output.valid):
                    m.d.sync += self.busy.eq(0)
                    m.next = "idle"
        return m

    def _next_of_square(self, m, program, across, lines, pixels, address, line_base, strip_base):
        """After the last channel of a pixel of a square: its neighbour, the next square, or the next line of all."""
        across.advance()
        with m.If(across.last):
            m.d.sync += address.eq(address + 1 + program["r_skip"])
            pixels.advance()
            with m.If(pixels.last):
                lines.advance()
                line_next = line_base + program["r_line"]
                m.d.sync += [address.eq(line_next), line_base.eq(Mux(lines.last, strip_base, line_next))]
