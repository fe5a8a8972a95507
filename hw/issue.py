"""The issue nest: what the arrays read in each cycle."""

from types import SimpleNamespace

from amaranth import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from rowloom.hw.loops import Loop
from rowloom.hw.program import MAX_STRIDE, pair_fields
from rowloom.hw.skips import SkipTable

__all__ = ["IssueNest"]


class IssueNest(wiring.Component):
    """Walks the loop nest of a layer, one activation word of every input row a cycle.

    Loops, outer to inner: strip of output rows, output column (pixel), filter block, chunk of
    kernel rows, kernel column (tap), channel word. The inner three accumulate; after each block
    ``bubbles`` idle cycles give the drain chains time. In the pooling engine a block is a channel
    word (``a_block``). Where a pixel is read several times, there is a loop ``copies`` between pixel
    and block.

    The taps of a sum of maps are maps: ``a_tap`` leads to the second one, ``a_tap_2`` on to the third,
    and so on; the last of these steps is that of all further taps.

    Accelerators with bit planes have one more loop, between block and chunk: pairs of planes, which
    accumulate too. A row of the table ``pairs`` says whether its pair doubles the sum so far, and how
    many words it is to the next pair's planes.

    Layers that leave out words of weights take the places of the others from a table instead of the inner three
    loops (:class:`rowloom.hw.skips.SkipTable`), and begin two cycles later.

    Input row y lies in bank ``y % banks`` at ``a_first + y // banks * a_row + x * words + word``.

    Latency
    -------
    A word's ``address`` leaves 2 cycles after its turn in the loop nest, together with ``active``;
    ``weight_address`` one cycle later; ``select``, ``live`` and the ``*_data`` flags two cycles
    later, when :class:`rowloom.hw.memories.Bank` delivers that word.

    Parameters
    ----------
    hardware : Hardware
    program : data.Layout
        Of a layer record.
    pairs : sequence of int
        Rows of the table of bit planes (:func:`rowloom.hw.program.pair_fields`); where it can be loaded, what it
        holds at first.
    skips : sequence of int
        Entries of the table of words that are multiplied, likewise.

    Members
    -------
    start : In(1)
        Strobe: begin the layer whose record is in ``program``.
    program : In(record)
        Layer record, constant from ``start`` until the layer is done.
    address : Out(address_bits) a bank
        Read address of each bank.
    weight_address : Out(weight_address_bits)
    select : Out(bank_bits) a stream
        Bank that holds the row of stream (j, q).
    live : Out(1) a stream
        Low where the row or column of that stream is padding.
    block_end : Out(1)
        With ``address``: this is the last word of a block.
    active_data, first_data, last_data, odd_data, double_data : Out(1)
        For the word that the banks deliver: there is one; it is the first, the last of its block;
        an odd number of its lanes is absent; the sum so far counts twice.
    pairs_enable, pairs_address, pairs_data, skips_enable, skips_address, skips_data : In
        Write a row of these tables, where they can be loaded.
    """

    start: Signal
    weight_address: Signal
    block_end: Signal
    active_data: Signal
    first_data: Signal
    last_data: Signal
    odd_data: Signal
    double_data: Signal
    pairs_enable: Signal
    pairs_address: Signal
    pairs_data: Signal
    skips_enable: Signal
    skips_address: Signal
    skips_data: Signal

    def __init__(self, *, hardware, program, pairs=(), skips=()):
        self.hardware = hardware
        self.pairs = tuple(pairs)
        self.skips = tuple(skips)
        members = {
            "start": In(1),
            "program": In(program),
            "weight_address": Out(hardware.weight_address_bits),
            "block_end": Out(1),
            "active_data": Out(1),
            "first_data": Out(1),
            "last_data": Out(1),
            "odd_data": Out(1),
            "double_data": Out(1),
        }
        tables = []
        if hardware.plane_pairs and hardware.load_bits:
            tables.append(("pairs", hardware.plane_pairs, pair_fields()))
        if hardware.skips and hardware.load_bits:
            tables.append(("skips", hardware.skips.depth, hardware.skips.fields))
        for name, depth, fields in tables:
            members |= {
                f"{name}_enable": In(1),
                f"{name}_address": In(range(depth)),
                f"{name}_data": In(sum(fields.values())),
            }
        for b in range(hardware.banks):
            members[f"address_{b}"] = Out(hardware.address_bits)
        for q in range(hardware.cols):
            for j in range(hardware.group):
                members[f"select_{j}_{q}"] = Out(hardware.bank_bits)
                members[f"live_{j}_{q}"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw, program = self.hardware, self.program
        coordinate = signed(hw.count_bits + 2)
        address = hw.address_bits

        # The loops.
        running, waiting = Signal(), Signal()
        step = Signal()
        m.d.comb += step.eq(running & ~waiting)
        planes = hw.plane_pairs > 0
        kinds = {"planes": planes, "copies": hw.copies}
        names = [
            name
            for name in ("words", "taps", "chunks", "planes", "blocks", "copies", "pixels", "strips")
            if kinds.get(name, True)
        ]
        block = "planes" if planes else "blocks"  # the loop round those that walk a window
        sparse, launch = 0, self.start
        place = {}  # of the next word, from its window's start
        if hw.skips:
            m.submodules.skips = table = SkipTable(hardware=hw, init=self.skips)
            sparse, launch = program["sparse"], Signal()
            m.d.comb += [
                table.start.eq(self.start & sparse),
                table.origin.eq(program["s_first"]),
                table.advance.eq(step),
                launch.eq((self.start & ~sparse) | table.launch),
            ]
            if hw.load_bits:
                m.d.comb += [
                    table.write_enable.eq(self.skips_enable),
                    table.write_address.eq(self.skips_address),
                    table.write_data.eq(self.skips_data),
                ]
            place = {name: Mux(sparse, getattr(table, name), 0) for name in ("a", "x", "y")}

        def at(name, start):
            return start + place[name] if place else start

        loops = {name: Loop(m, name, program[name]) for name in names}
        turn = {}  # this loop advances, all inner ones being at their end
        advance = step
        for name, loop in loops.items():
            turn[name] = Signal(name=f"turn_{name}")
            m.d.comb += turn[name].eq(advance)
            advance = turn[name] & loop.last
            if hw.skips and name == "chunks":
                advance = advance & (~sparse | table.last)
            with m.If(turn[name]):
                loop.advance()
        done = advance

        bubble = Signal.like(program["bubbles"], reset_less=True)
        with m.If(waiting):
            m.d.sync += bubble.eq(bubble - 1)
            with m.If(bubble == 1):
                m.d.sync += waiting.eq(0)
        with m.Elif(turn["blocks"] & (program["bubbles"] != 0)):
            m.d.sync += [waiting.eq(1), bubble.eq(program["bubbles"])]
        first, first_of_pixel = Signal(), Signal()
        with m.If(step):
            m.d.sync += [first.eq(turn["blocks"]), first_of_pixel.eq(turn["pixels"])]

        # Positions. Each loop keeps the position in which its inner loops begin.
        x_pixel, x = Signal(coordinate, reset_less=True), Signal(coordinate, reset_less=True)
        y_strip, y = Signal(coordinate, reset_less=True), Signal(coordinate, reset_less=True)
        kernel_rows = Signal(signed(hw.count_bits + 1), reset_less=True)
        a_pixel, a_block, a_tap, a = (
            Signal(address, name=f"a_{n}", reset_less=True) for n in ("pixel_q", "block_q", "tap_q", "word_q")
        )
        x_pixel_next, x_next = Signal(coordinate), Signal(coordinate)
        a_pixel_next, a_block_next, a_tap_next = Signal(address), Signal(address), Signal(address)
        a_start = a_block  # where a window begins
        if planes:
            pair = self._pair(m, turn, loops)
            a_start = Signal(address, name="a_plane_q", reset_less=True)
            a_plane_next = Mux(turn["planes"], a_start + pair.a_step, a_start)
            with m.If(turn["planes"]):
                m.d.sync += a_start.eq(a_tap_next)
            with m.If(self.start):
                m.d.sync += a_start.eq(program["a_first"])
        a_again = a_block + program["a_block"]  # in the same pixel
        if hw.copies:
            a_again = Mux(turn["copies"], a_pixel, a_again)
        a_step = self._tap_step(m, turn, loops) if hw.maps > 2 else program["a_tap"]
        m.d.comb += [
            x_pixel_next.eq(Mux(turn["strips"], program["x_first"].as_signed(), x_pixel + program["x_pixel"])),
            a_pixel_next.eq(Mux(turn["strips"], program["a_first"], a_pixel + program["a_pixel"])),
            a_block_next.eq(Mux(turn["pixels"], a_pixel_next, a_again)),
            x_next.eq(Mux(turn["pixels"], x_pixel_next, x_pixel)),
            a_tap_next.eq(Mux(turn["blocks"], a_block_next, a_plane_next if planes else a_start)),
        ]
        with m.If(turn["words"]):
            m.d.sync += a.eq(a + (program["a_word"] if planes else 1))
        with m.If(turn["taps"]):
            m.d.sync += [
                a.eq(a_tap + a_step),
                a_tap.eq(a_tap + a_step),
                x.eq(x + program["x_tap"]),
            ]
        with m.If(turn["chunks"]):
            m.d.sync += [
                a.eq(at("a", a_tap_next)),
                a_tap.eq(a_tap_next),
                x.eq(at("x", x_next)),
                y.eq(y + program["y_chunk"]),
                kernel_rows.eq(kernel_rows - program["y_chunk"]),
            ]
        with m.If(turn["blocks"]):
            m.d.sync += a_block.eq(a_block_next)
        with m.If(turn[block]):
            m.d.sync += [y.eq(y_strip), kernel_rows.eq(program["kernel_rows"])]
        with m.If(turn["pixels"]):
            m.d.sync += [x_pixel.eq(x_pixel_next), a_pixel.eq(a_pixel_next)]
        with m.If(turn["strips"]):
            m.d.sync += [y_strip.eq(y_strip + program["y_strip"]), y.eq(y_strip + program["y_strip"])]

        if hw.skips:
            with m.If(step & sparse):
                m.d.sync += [
                    y.eq(at("y", y_strip + Mux(turn["strips"], program["y_strip"], 0))),
                    kernel_rows.eq(program["kernel_rows"] - place["y"]),
                ]
        with m.If(done):
            m.d.sync += running.eq(0)
        with m.If(launch):
            m.d.sync += [running.eq(1), waiting.eq(0), first.eq(1), first_of_pixel.eq(1)]
            for loop in loops.values():
                m.d.sync += loop.restart()
            m.d.sync += [
                x_pixel.eq(program["x_first"].as_signed()),
                x.eq(at("x", program["x_first"].as_signed())),
                y_strip.eq(program["y_first"].as_signed()),
                y.eq(at("y", program["y_first"].as_signed())),
                kernel_rows.eq(program["kernel_rows"] - place["y"] if place else program["kernel_rows"]),
                *[r.eq(program["a_first"]) for r in (a_pixel, a_block, a_tap)],
                a.eq(at("a", program["a_first"])),
            ]

        # Cycle 1: rows and columns against the map; the row's address.
        low = hw.bank_bits
        row_address, a_q, a_next_row_q = (
            Signal(address, name=n, reset_less=True) for n in ("row_address", "a_q", "a_next_row_q")
        )
        y_low = Signal(low, reset_less=True)
        x_live = Signal(reset_less=True)
        m.d.sync += [
            row_address.eq((y >> low) * program["a_row"]),
            a_q.eq(a),
            a_next_row_q.eq(a + program["a_row"]),
            y_low.eq(y[:low] if low else 0),
            x_live.eq((x >= 0) & (x < program["width"])),
        ]
        # A stream's row is at most `reach` below y: it suffices to know how far y is from either edge of the map.
        reach = MAX_STRIDE * (hw.cols - 1) + hw.group
        above, below, kernel_left = (Signal(range(reach + 2), name=n) for n in ("above", "below", "kernel_left"))
        m.d.comb += [
            above.eq(_saturate(-y, reach + 1)),  # rows that lie above the map
            below.eq(_saturate(program["height"] - y, reach + 1)),  # rows that do not lie below it
            kernel_left.eq(_saturate(kernel_rows, reach + 1)),
        ]
        rows, rows_live = {}, {}
        for q in range(hw.cols):
            for j in range(hw.group):
                ahead = Signal(range(reach + 1), name=f"ahead_{j}_{q}")
                m.d.comb += ahead.eq(q * program["stride"] + Mux(program["sum_rows"], j, 0))
                used = ~program["sum_rows"] | (kernel_left > j)
                rows[j, q] = Signal(low, name=f"row_{j}_{q}_q", reset_less=True)
                rows_live[j, q] = Signal(name=f"row_live_{j}_{q}", reset_less=True)
                m.d.sync += [
                    rows[j, q].eq((y[:low] + ahead)[:low] if low else 0),
                    rows_live[j, q].eq((ahead >= above) & (ahead < below) & used),
                ]

        # Cycle 2: addresses of this row of banks and of the next.
        this_row, next_row = Signal(address, reset_less=True), Signal(address, reset_less=True)
        y_low_q = Signal(low, reset_less=True)
        m.d.sync += [
            this_row.eq(row_address + a_q),
            next_row.eq(row_address + a_next_row_q),
            y_low_q.eq(y_low),
        ]
        for b in range(hw.banks):
            m.d.comb += getattr(self, f"address_{b}").eq(Mux(b < y_low_q, next_row, this_row))

        def later(value, cycles, name, **kwargs):
            for i in range(cycles):
                delayed = Signal.like(value, name=f"{name}_q{i + 1}", **kwargs)
                m.d.sync += delayed.eq(value)
                value = delayed
            return value

        odd = program["odd"] & loops["words"].last
        flags = {"active": step, "first": first, "last": turn["blocks"], "odd": odd, "pixel": first_of_pixel}
        at_address = {}
        for name, value in flags.items():
            flag = Signal(name=f"{name}_flag")
            m.d.comb += flag.eq(value)
            at_address[name] = later(flag, 2, name, init=0)
        m.d.comb += self.block_end.eq(at_address["active"] & at_address["last"])

        # Cycle 3: the weights' address.
        weight_next = Signal.like(self.weight_address)
        if planes:
            self._rewind_weights(m, pair, flags, later, weight_next, sparse)
        else:
            m.d.comb += weight_next.eq(Mux(at_address["pixel"], program["w_first"], self.weight_address + 1))
        with m.If(at_address["active"]):
            m.d.sync += self.weight_address.eq(weight_next)

        # Cycle 4: the word that the banks deliver.
        m.d.comb += [
            self.active_data.eq(later(at_address["active"], 2, "active_data", init=0)),
            self.first_data.eq(later(at_address["first"], 2, "first_data", init=0)),
            self.last_data.eq(later(at_address["last"], 2, "last_data", init=0)),
            self.odd_data.eq(later(at_address["odd"], 2, "odd_data", init=0)),
        ]
        if planes:
            m.d.comb += self.double_data.eq(later(pair.double, 4, "double"))
        for j, q in rows:
            live = Signal(name=f"live_{j}_{q}_q", reset_less=True)
            m.d.sync += live.eq(rows_live[j, q] & x_live)
            m.d.comb += [
                getattr(self, f"live_{j}_{q}").eq(later(live, 2, f"live_{j}_{q}_data", init=0)),
                getattr(self, f"select_{j}_{q}").eq(later(rows[j, q], 3, f"select_{j}_{q}_data", init=0)),
            ]
        return m

    def _tap_step(self, m, turn, loops):
        """The step to the next tap, where the maps of a sum lie at unequal distances."""
        program = self.program
        names = ["a_tap", *(f"a_tap_{i}" for i in range(2, self.hardware.maps))]
        index, index_next = (Signal(range(len(names)), name=name) for name in ("tap_index", "tap_index_next"))
        step = Signal.like(program["a_tap"], name="tap_step", reset_less=True)
        last = index == len(names) - 1
        m.d.comb += index_next.eq(Mux(self.start | loops["taps"].last, 0, Mux(last, index, index + 1)))
        with m.If(self.start | turn["taps"]):
            m.d.sync += [index.eq(index_next), step.eq(Array(program[name] for name in names)[index_next])]
        return step

    def _pair(self, m, turn, loops):
        """The row of the table for the pair of planes in turn.

        Returns a struct of ``a_step`` and ``w_step``, to the next pair; and for this turn of the loop nest: ``opens``
        a pair, ``double``, and ``w_open``, the step that led to the pair.
        """
        program = self.program
        fields = data.StructLayout({
            name: unsigned(width) if name == "double" else signed(width) for name, width in pair_fields().items()
        })  # fmt: skip
        index, index_next = Signal.like(program["p_first"]), Signal.like(program["p_first"])
        row = Signal(fields, name="pair", reset_less=True)
        opens, w_open = Signal(name="opens_pair"), Signal(row.w_step.shape(), name="w_open", reset_less=True)
        m.d.comb += index_next.eq(Mux(self.start | loops["planes"].last, program["p_first"], index + 1))
        begins = self.start | turn["planes"]
        if self.hardware.load_bits:
            with m.If(begins):
                m.d.sync += index.eq(index_next)
            m.d.comb += row.as_value().eq(self._loaded_row(m, index_next, begins))
        else:
            with m.If(begins):
                m.d.sync += [index.eq(index_next), row.as_value().eq(Array(self.pairs)[index_next])]
        with m.If(self.start | turn["words"]):
            m.d.sync += [opens.eq(self.start | turn["planes"]), w_open.eq(row.w_step)]
        double = Signal(name="doubles")
        m.d.comb += double.eq(opens & row.double)
        return SimpleNamespace(a_step=row.a_step, opens=opens, double=double, w_open=w_open)

    def _loaded_row(self, m, index, begins):
        """Row of the table at the last ``index`` with ``begins``."""
        m.submodules.pairs = store = memory.Memory(
            shape=len(self.pairs_data), depth=self.hardware.plane_pairs, init=self.pairs
        )
        write, read = store.write_port(), store.read_port(domain="sync")
        m.d.comb += [
            write.en.eq(self.pairs_enable),
            write.addr.eq(self.pairs_address),
            write.data.eq(self.pairs_data),
            read.en.eq(begins),
            read.addr.eq(index),
        ]
        return read.data

    def _rewind_weights(self, m, pair, flags, later, weight_next, sparse):
        """Weights of a block lie word by word, all planes of a word side by side: a pair goes back to the start.

        Blocks of ``sparse`` layers, which have no planes, are of any length and lie one behind the other.
        """
        program = self.program
        names = ("active", "first", "pixel")
        active, first, pixel = (later(flags[name], 1, f"{name}_weights", init=0) for name in names)
        opens = Signal(name="opens_weights")
        opened, step = later(pair.opens, 1, "opens"), later(pair.w_open, 1, "w_step")
        m.d.comb += opens.eq(active & opened)
        start = Signal.like(self.weight_address, name="w_start", reset_less=True)
        with m.If(opens):
            m.d.sync += start.eq(Mux(pixel, program["w_first"], start + Mux(first, program["w_block"], step)))
        rewinds = later(opens & (pixel | ~sparse) if self.hardware.skips else opens, 1, "opens_now")
        m.d.comb += weight_next.eq(Mux(rewinds, start, self.weight_address + program["w_word"]))


def _saturate(value, limit):
    """``value``, but zero if it is negative and ``limit`` if it is more, which is below a power of two."""
    bits = limit.bit_length()
    return Mux(value[-1], 0, Mux(value[bits:].any(), limit, value[:bits]))
