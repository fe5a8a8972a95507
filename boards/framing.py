"""Frames on a byte stream round an accelerator; bit for bit as :mod:`rowloom.boards.protocol`."""

from amaranth.build import Platform
from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from amaranth.lib.wiring import In, Out

from rowloom.boards.protocol import CRC_BYTES, About, Fault, Kind, symbol_bytes


class Framer(wiring.Component):
    """Takes requests from ``rx``, feeds images to an accelerator and answers on ``tx``.

    A request is answered before the next one is looked at. An accelerator takes the codes of an image as they come,
    before the checksum is known; so a request that turns out bad runs to its end all the same: missing codes are
    replaced by zeros, the result is thrown away, and once the line has been quiet for ``time_out`` cycles (whatever
    came meanwhile is thrown away too) one ERROR frame answers. The accelerator is then at an image's start again, and
    so is the framing.

    The accelerator must take a whole image while its output waits: no value is taken before the checksum was checked.

    Latency
    -------
    One code goes to the accelerator for each symbol received, two cycles after its last byte; a value takes one
    cycle and one for each of its bytes, or as long as ``tx`` makes it wait.

    Parameters
    ----------
    about : :class:`rowloom.boards.protocol.About`
        Widths and lengths, and what is answered to an ABOUT request.
    time_out : int
        Cycles without a byte after which a request that is not complete is given up.

    Members
    -------
    rx, tx : In, Out(stream of 8)
        The bytes of the frames.
    fault : In(1)
        Says that a byte was lost, for a cycle.
    image : Out(stream of ``input_bits``)
        Codes to the accelerator.
    result : In(stream of value: signed ``output_bits``, last: 1)
        Values from the accelerator.

    Raises
    ------
    ValueError
        If ``time_out`` is not positive.
    """

    rx: stream.Interface
    tx: stream.Interface
    fault: Signal
    image: stream.Interface
    result: stream.Interface

    def __init__(self, *, about: About, time_out: int) -> None:
        if time_out <= 0:
            raise ValueError(f"time_out must be positive, not {time_out!r}")
        self.about = about
        self.time_out = time_out
        super().__init__(
            {
                "rx": In(stream.Signature(8)),
                "tx": Out(stream.Signature(8)),
                "fault": In(1),
                "image": Out(stream.Signature(about.input_bits)),
                "result": In(stream.Signature(data.StructLayout({"value": signed(about.output_bits), "last": 1}))),
            }
        )

    def elaborate(self, platform: Platform) -> Module:
        """Return the gates."""
        m = Module()
        m.submodules.crc = crc = CRC16_IBM_3740(8).create()
        input_bytes = symbol_bytes(self.about.input_bits)
        output_bytes = symbol_bytes(self.about.output_bits)
        about = Array(Const(byte, 8) for byte in self.about.pack())

        kind = Signal(Kind)
        reason = Signal(Fault)
        lost = Signal()
        with m.If(self.fault):
            m.d.sync += lost.eq(1)

        taken = Signal()
        m.d.comb += taken.eq(self.rx.valid & self.rx.ready)
        quiet = Signal(range(self.time_out + 1))
        expired = Signal()
        m.d.comb += expired.eq(quiet == self.time_out)
        with m.If(taken | self.fault):
            m.d.sync += quiet.eq(0)
        with m.Elif(~expired):
            m.d.sync += quiet.eq(quiet + 1)

        codes_left = Signal(range(self.about.input_beats + 1))
        index = Signal(range(max(input_bytes, output_bytes, About.size())))
        symbol = Signal(8 * input_bytes)
        with m.If(self.image.ready):
            m.d.sync += self.image.valid.eq(0)

        value = Signal(8 * output_bytes)
        last = Signal()
        can_put = Signal()
        m.d.comb += can_put.eq(~self.tx.valid | self.tx.ready)
        with m.If(self.tx.ready):
            m.d.sync += self.tx.valid.eq(0)

        def check(byte: Value) -> list[object]:
            """Count a byte into the checksum."""
            return [crc.valid.eq(1), crc.data.eq(byte)]

        def put(byte: Value) -> list[object]:
            """Send a byte; only when ``can_put``."""
            return [self.tx.payload.eq(byte), self.tx.valid.eq(1)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.rx.ready.eq(~lost)
                m.d.sync += [index.eq(0), codes_left.eq(self.about.input_beats)]
                with m.If(lost):
                    m.d.sync += reason.eq(Fault.LINE)
                    m.next = "QUIET"
                with m.Elif(self.rx.valid):
                    m.d.comb += [crc.start.eq(1), *check(self.rx.payload)]
                    m.d.sync += kind.eq(self.rx.payload)
                    with m.Switch(self.rx.payload):
                        with m.Case(Kind.RUN):
                            m.next = "IMAGE"
                        with m.Case(Kind.ABOUT):
                            m.next = "CHECK"
                        with m.Default():
                            m.d.sync += reason.eq(Fault.UNKNOWN)
                            m.next = "QUIET"

            with m.State("IMAGE"):
                m.d.comb += self.rx.ready.eq(~self.image.valid)
                with m.If(taken):
                    m.d.comb += check(self.rx.payload)
                    m.d.sync += [symbol.eq(Cat(symbol, self.rx.payload)[8:]), index.eq(index + 1)]
                    with m.If(index == input_bytes - 1):
                        m.d.sync += [
                            self.image.payload.eq(Cat(symbol, self.rx.payload)[8:]),
                            self.image.valid.eq(1),
                            codes_left.eq(codes_left - 1),
                            index.eq(0),
                        ]
                        with m.If(codes_left == 1):
                            m.next = "CHECK"
                with m.Elif(expired):
                    m.d.sync += reason.eq(Fault.TIME_OUT)
                    m.next = "FILL"

            with m.State("CHECK"):
                m.d.comb += self.rx.ready.eq(1)
                with m.If(taken):
                    m.d.comb += check(self.rx.payload)
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == CRC_BYTES - 1):
                        m.d.sync += index.eq(0)
                        m.next = "JUDGE"
                with m.Elif(expired):
                    m.d.sync += reason.eq(Fault.TIME_OUT)
                    m.next = "FILL"

            with m.State("JUDGE"):
                with m.If(crc.match_detected & ~lost):
                    m.next = "ANSWER"
                with m.Else():
                    m.d.sync += reason.eq(Mux(lost, Fault.LINE, Fault.CRC))
                    m.next = "FILL"

            with m.State("FILL"):
                # Bring the accelerator back to an image's start, if one was begun.
                m.d.comb += self.rx.ready.eq(1)
                with m.If(kind != Kind.RUN):
                    m.next = "QUIET"
                with m.Elif(~self.image.valid):
                    with m.If(codes_left == 0):
                        m.next = "DRAIN"
                    with m.Else():
                        m.d.sync += [
                            self.image.payload.eq(0),
                            self.image.valid.eq(1),
                            codes_left.eq(codes_left - 1),
                        ]

            with m.State("DRAIN"):
                m.d.comb += [self.rx.ready.eq(1), self.result.ready.eq(1)]
                with m.If(self.result.valid & self.result.payload.last):
                    m.next = "QUIET"

            with m.State("QUIET"):
                m.d.comb += self.rx.ready.eq(1)
                with m.If(expired & ~taken):
                    m.d.sync += [kind.eq(Kind.ERROR), lost.eq(0)]
                    m.next = "ANSWER"

            with m.State("ANSWER"):
                m.d.sync += index.eq(0)
                with m.If(can_put):
                    m.d.comb += [crc.start.eq(1), *check(kind)]
                    m.d.sync += put(kind)
                    with m.Switch(kind):
                        with m.Case(Kind.RUN):
                            m.next = "VALUE"
                        with m.Case(Kind.ABOUT):
                            m.next = "ABOUT"
                        with m.Default():
                            m.next = "ERROR"

            with m.State("VALUE"):
                m.d.comb += self.result.ready.eq(1)
                m.d.sync += [value.eq(self.result.payload.value), last.eq(self.result.payload.last), index.eq(0)]
                with m.If(self.result.valid):
                    m.next = "BYTES"

            with m.State("BYTES"), m.If(can_put):
                m.d.comb += check(value[:8])
                m.d.sync += [*put(value[:8]), value.eq(value >> 8), index.eq(index + 1)]
                with m.If(index == output_bytes - 1):
                    m.next = "VALUE"
                    with m.If(last):
                        m.next = "CRC_HIGH"

            with m.State("ABOUT"), m.If(can_put):
                m.d.comb += check(about[index])
                m.d.sync += [*put(about[index]), index.eq(index + 1)]
                with m.If(index == About.size() - 1):
                    m.next = "CRC_HIGH"

            with m.State("ERROR"), m.If(can_put):
                m.d.comb += check(reason)
                m.d.sync += put(reason)
                m.next = "CRC_HIGH"

            with m.State("CRC_HIGH"), m.If(can_put):
                m.d.sync += put(crc.crc[8:])
                m.next = "CRC_LOW"

            with m.State("CRC_LOW"), m.If(can_put):
                m.d.sync += put(crc.crc[:8])
                m.next = "IDLE"
        return m
