"""The filler: writes what comes over the load port into the memories."""

from amaranth import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.contents import GO, HEADER_BITS, HEADER_FIELDS, memory_groups

__all__ = ["Filler"]


class Filler(wiring.Component):
    """Takes sections, as :func:`rowloom.hw.contents.load_beats` makes them, and starts the accelerator after the last.

    A section is a header and the words of a group of memories, in turn a word for each. The first section of a
    load waits until the accelerator is idle, and stops it.

    A section of a layer's weights, as :func:`rowloom.hw.contents.stream_beats` makes them, comes while images are
    computed: its header's ``lead`` says how many other sections may be there unused when it begins, plus one.

    Latency
    -------
    A beat a cycle; two cycles more after each header.

    Parameters
    ----------
    hardware : Hardware
    running : bool
        The memories have contents from the start: the accelerator need not be loaded first.

    Members
    -------
    load : In(stream of unsigned(load_bits))
    idle : In(1)
        No image is in work.
    running : Out(1)
        The memories hold a whole load.
    used : In(1)
        Strobe: the layer of the oldest section of weights is done. This and the next only where weights are streamed.
    ready : Out(1)
        There is a section of weights that was not used.
    address : Out
        Where words are written.
    enable_{g} : Out(members)
        Write a word into these memories of group g.
    data_{g} : Out(width)
    """

    load: stream.Interface
    idle: Signal
    running: Signal
    address: Signal
    used: Signal
    ready: Signal

    def __init__(self, *, hardware, running):
        self.hardware = hardware
        self.groups = memory_groups(hardware)
        members = {
            "load": In(stream.Signature(unsigned(hardware.load_bits))),
            "idle": In(1),
            "running": Out(1, init=running),
            "address": Out(max(1, *((group.depth - 1).bit_length() for group in self.groups))),
        }
        if hardware.weight_stream:
            members |= {"used": In(1), "ready": Out(1)}
        for g, group in enumerate(self.groups):
            members |= {f"enable_{g}": Out(group.members), f"data_{g}": Out(group.width)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        beat_bits, groups = self.hardware.load_bits, self.groups
        beats = [group.beats(beat_bits) for group in groups]
        header_beats = HEADER_BITS // beat_bits

        # Beats come in at the top; a word of n beats is in the uppermost ones when it is complete.
        held = Signal(beat_bits * max(header_beats, *beats), reset_less=True)
        top = held[len(held) - HEADER_BITS :]
        head = data.View(data.StructLayout(HEADER_FIELDS), top)
        taken = Signal()
        m.d.comb += taken.eq(self.load.valid & self.load.ready)
        with m.If(taken):
            m.d.sync += held.eq(Cat(held, self.load.payload)[beat_bits:])

        memory = Signal(range(max(2, len(groups))), reset_less=True)
        beats_left = Signal(range(max(header_beats, *beats)), init=header_beats - 1)
        members_left = Signal(range(max(2, *(group.members for group in groups))), reset_less=True)
        words_left = Signal(HEADER_FIELDS["count"], reset_less=True)
        members_of = Array(group.members - 1 for group in groups)
        beats_of = Array(each - 1 for each in beats)
        written = Signal()  # a word is complete
        streams = self.hardware.weight_stream > 0
        ahead = Signal(range(self.hardware.layers + 1))  # sections of weights that were not used
        of_layer, section_end = Signal(), Signal()
        last = (members_left == 0) & (words_left == 1)

        with m.FSM():
            with m.State("header"):
                m.d.comb += self.load.ready.eq(1)
                with m.If(taken):
                    m.d.sync += beats_left.eq(beats_left - 1)
                    with m.If(beats_left == 0):
                        m.next = "open"
            with m.State("open"):
                m.d.sync += [
                    memory.eq(head.memory),
                    self.address.eq(head.address),
                    words_left.eq(head.count),
                    beats_left.eq(header_beats - 1),
                    of_layer.eq(head.lead != 0),
                ]
                with m.If(head.memory == GO):
                    m.d.sync += self.running.eq(1)
                    m.next = "header"
                if streams:
                    with m.Elif(head.lead != 0):
                        with m.If(ahead < head.lead):
                            m.next = "first"
                with m.Elif(self.idle):
                    m.d.sync += self.running.eq(0)
                    m.next = "first"
            with m.State("first"):
                m.d.sync += [beats_left.eq(beats_of[memory]), members_left.eq(members_of[memory])]
                m.next = "words"
            with m.State("words"):
                m.d.comb += self.load.ready.eq(1)
                with m.If(taken):
                    m.d.sync += beats_left.eq(beats_left - 1)
                    with m.If(beats_left == 0):
                        m.d.comb += written.eq(1)
                        m.d.sync += [
                            beats_left.eq(Mux(last, header_beats - 1, beats_of[memory])),
                            members_left.eq(Mux(members_left == 0, members_of[memory], members_left - 1)),
                            words_left.eq(words_left - (members_left == 0)),
                        ]
                        with m.If(last):
                            m.d.comb += section_end.eq(1)
                            m.next = "header"

        if streams:
            m.d.comb += self.ready.eq(ahead != 0)
            m.d.sync += ahead.eq(ahead + (section_end & of_layer) - self.used)

        # A cycle later the word is whole.
        turn_end = Signal()
        m.d.sync += turn_end.eq(written & (members_left == 0))
        with m.If(turn_end):
            m.d.sync += self.address.eq(self.address + 1)
        for g, group in enumerate(groups):
            enable = getattr(self, f"enable_{g}")
            here = written & (memory == g)
            m.d.sync += enable.eq(
                Cat(here & (members_left == group.members - 1 - member) for member in range(group.members))
            )
            m.d.comb += getattr(self, f"data_{g}").eq(held[len(held) - beats[g] * beat_bits :])
        return m
