"""The sequencer: layer after layer, image after image."""

from amaranth import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.contents import program_depth
from rowloom.hw.program import RECORD_WORD_BITS, record_words

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Loads the record of each layer, starts it, and waits for its end.

    Latency
    -------
    ``record_words + 2`` cycles from the end of a layer to the start of the next.

    Members
    -------
    input_program, layer_program : Out(record)
        The input's record, constant once ``input_start`` was high; the current layer's record.
    input_start, start : Out(1)
        Strobe: the input's record is there; the layer's record is there.
    done : In(1)
        Strobe: the layer is done.
    loaded : In(1)
        Strobe: an image is in the banks.
    results_busy : In(1)
        The results of the image before are not yet streamed out.
    free : Out(1)
        The input region may be overwritten.
    layer_done : Out(1)
        Strobe: layer ``layer`` took ``layer_cycles`` cycles.
    running : In(1)
        There is a program; this and the next ones only where another may be loaded.
    idle : Out(1)
        No image is in work.
    write_enable, write_address, write_data : In
        Of the program memory.
    weights_ready : In(1)
        The weights of the next layer that waits for its own are there; this and the next only where weights are
        streamed.
    weights_used : Out(1)
        Strobe: that layer is done.
    """

    input_start: Signal
    start: Signal
    done: Signal
    loaded: Signal
    results_busy: Signal
    free: Signal
    layer_done: Signal
    layer: Signal
    layer_cycles: Signal
    running: Signal
    idle: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal
    weights_ready: Signal
    weights_used: Signal

    def __init__(self, *, hardware, input_program, layer_program, init):
        self.hardware = hardware
        self.init = list(init)
        self.depth = max(2, program_depth(hardware) if hardware.load_bits else len(self.init))
        members = {
            "input_program": Out(input_program),
            "layer_program": Out(layer_program),
            "input_start": Out(1),
            "start": Out(1),
            "done": In(1),
            "loaded": In(1),
            "results_busy": In(1),
            "free": Out(1, init=1),
            "layer_done": Out(1),
            "layer": Out(range(max(2, hardware.layers))),
            "layer_cycles": Out(32),
        }
        if hardware.load_bits:
            members |= {
                "running": In(1),
                "idle": Out(1),
                "write_enable": In(1),
                "write_address": In(range(self.depth)),
                "write_data": In(RECORD_WORD_BITS),
            }
        if hardware.weight_stream:
            members |= {"weights_ready": In(1), "weights_used": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        input_words = record_words({str(i): f.width for i, (_, f) in enumerate(self.input_program.shape())})
        layer_words = record_words({str(i): f.width for i, (_, f) in enumerate(self.layer_program.shape())})

        loadable = self.hardware.load_bits > 0
        logic = len(self.init) * RECORD_WORD_BITS <= self.hardware.logic_bits
        m.submodules.program = store = memory.Memory(
            shape=RECORD_WORD_BITS,
            depth=self.depth,
            init=self.init,
            attrs={} if loadable else {"rom_style": "logic" if logic else "block"},
        )
        if loadable:
            write = store.write_port()
            m.d.comb += [
                write.en.eq(self.write_enable),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
            ]
        port = store.read_port(domain="sync")
        address = Signal(range(self.depth + 1))
        m.d.comb += port.addr.eq(address)

        # Records come in low word first and move down as they do.
        input_record = Signal(input_words * RECORD_WORD_BITS, reset_less=True)
        layer_record = Signal(layer_words * RECORD_WORD_BITS, reset_less=True)
        m.d.comb += [
            self.input_program.as_value().eq(input_record),
            self.layer_program.as_value().eq(layer_record),
        ]
        left = Signal(range(max(input_words, layer_words) + 1), reset_less=True)
        image, region_free, cycles = Signal(), Signal(init=1), Signal(32, reset_less=True)
        layer = Signal.like(self.layer)
        m.d.comb += [self.free.eq(region_free), self.layer_cycles.eq(cycles), self.layer.eq(layer)]
        m.d.sync += cycles.eq(cycles + 1)
        with m.If(self.loaded):
            m.d.sync += [image.eq(1), region_free.eq(0)]

        with m.FSM():
            with m.State("reset"):
                m.d.sync += [address.eq(1), left.eq(input_words - 1)]
                m.next = "input"
                if loadable:
                    m.d.comb += self.idle.eq(~self.running)
                    with m.If(~self.running):
                        m.d.sync += address.eq(0)
                        m.next = "reset"
            with m.State("input"):
                m.d.sync += [
                    input_record.eq(Cat(input_record, port.data)[RECORD_WORD_BITS:]),
                    address.eq(address + 1),
                    left.eq(left - 1),
                ]
                with m.If(left == 0):
                    m.d.sync += [self.input_start.eq(1), address.eq(input_words)]
                    m.next = "image"
            with m.State("image"):
                m.d.sync += [self.input_start.eq(0), layer.eq(0), cycles.eq(1), address.eq(input_words)]
                with m.If(image):
                    m.d.sync += image.eq(0)
                    m.next = "fetch"
                if loadable:
                    m.d.comb += self.idle.eq(~image)
                    with m.If(~self.running):
                        m.d.sync += address.eq(0)
                        m.next = "reset"
            with m.State("fetch"):
                m.d.sync += [address.eq(address + 1), left.eq(layer_words - 1)]
                m.next = "layer"
            with m.State("layer"):
                m.d.sync += [
                    layer_record.eq(Cat(layer_record, port.data)[RECORD_WORD_BITS:]),
                    left.eq(left - 1),
                ]
                with m.If(left == 0):
                    m.next = "ready"
                with m.Else():
                    m.d.sync += address.eq(address + 1)
            with m.State("ready"):
                with m.If(self.layer_program.to_results & self.results_busy):
                    m.d.sync += cycles.eq(cycles)
                if self.hardware.weight_stream:
                    with m.Elif(self.layer_program.streamed & ~self.weights_ready):
                        m.next = "ready"
                with m.Else():
                    m.d.comb += self.start.eq(1)
                    m.next = "run"
            with m.State("run"):
                with m.If(self.done):
                    m.d.comb += self.layer_done.eq(1)
                    if self.hardware.weight_stream:
                        m.d.comb += self.weights_used.eq(self.layer_program.streamed)
                    m.d.sync += [cycles.eq(1), layer.eq(layer + 1)]
                    with m.If(self.layer_program.release_input):
                        m.d.sync += region_free.eq(1)
                    m.next = "fetch"
                    with m.If(self.layer_program.last):
                        m.next = "image"
        return m
