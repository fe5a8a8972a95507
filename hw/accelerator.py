"""The accelerator: banks, arrays and the paths between them."""

from amaranth import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rowloom.hw.array import ProcessingArray
from rowloom.hw.crossbar import Crossbar
from rowloom.hw.drain import DrainControl, DrainLane
from rowloom.hw.issue import IssueNest
from rowloom.hw.lanes import counting_lanes, dividing_lanes
from rowloom.hw.loader import Loader
from rowloom.hw.memories import Bank
from rowloom.hw.packer import Packer
from rowloom.hw.pool import MaxPool
from rowloom.hw.program import input_fields, layer_fields
from rowloom.hw.results import Results
from rowloom.hw.retire import RetireNest
from rowloom.hw.sequencer import Sequencer
from rowloom.hw.splitter import PlaneSplitter
from rowloom.hw.stores import Stores
from rowloom.hw.vector import VectorArray
from rowloom.hw.writer import BankWriter

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """A row-stationary accelerator with the program and weights of one network, or where these can be loaded.

    Bit for bit :meth:`rowloom.model.network.Network.run`; a layer takes exactly the cycles that
    :mod:`rowloom.hw.mapping.cycles` says.

    Parameters
    ----------
    design : Design
    probe : bool
        Add ports that show every write into the banks.
    filled : bool
        Where program and weights can be loaded: those of the design are there from the start, and it runs at once.

    Members
    -------
    input : In(stream of unsigned(input_bits))
        Activation codes of the images in the order y, x, c, image after image.
    output : Out(stream of {value: signed, last: 1})
        The values of the network's output in the order y, x, c; ``last`` ends an image.
    load : In(stream of unsigned(load_bits))
        Program and weights, as :func:`rowloom.hw.contents.load_beats` gives them; only where they can be loaded. An
        image for a new program is to be offered once the last beat was taken, another program once all images of the
        one before have come out.
    layer_done : Out(1)
        Strobe: a layer is done.
    layer : Out
        Its index in ``design.layers``.
    layer_cycles : Out(32)
        Cycles that it took.
    probe_{b}_en, probe_{b}_addr, probe_{b}_data : Out
        Writes into bank b, with ``probe``.
    """

    input: stream.Interface
    output: stream.Interface
    load: stream.Interface
    layer_done: Signal
    layer: Signal
    layer_cycles: Signal

    def __init__(self, design, *, probe=False, filled=True):
        self.design = design
        self.probe = probe
        self.filled = filled
        hw = design.hardware
        members = {
            "input": In(stream.Signature(unsigned(hw.input_bits))),
            "output": Out(stream.Signature(data.StructLayout({"value": signed(hw.sum_bits), "last": 1}))),
            "layer_done": Out(1),
            "layer": Out(range(max(2, hw.layers))),
            "layer_cycles": Out(32),
        }
        if hw.load_bits:
            members["load"] = In(stream.Signature(unsigned(hw.load_bits)))
        if probe:
            for b in range(hw.banks):
                members |= {
                    f"probe_{b}_en": Out(1),
                    f"probe_{b}_addr": Out(hw.address_bits),
                    f"probe_{b}_data": Out(hw.word_bits),
                }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        hw, images = self.design.hardware, self.design.images
        stores = Stores(m, hardware=hw, images=images, filled=self.filled)
        layer_program = data.StructLayout(layer_fields(hw))
        input_program = data.StructLayout(input_fields(hw))

        m.submodules.sequencer = sequencer = Sequencer(
            hardware=hw,
            input_program=input_program,
            layer_program=layer_program,
            init=stores.contents(images.program),
        )
        program = sequencer.layer_program
        m.d.comb += [
            self.layer_done.eq(sequencer.layer_done),
            self.layer.eq(sequencer.layer),
            self.layer_cycles.eq(sequencer.layer_cycles),
        ]
        engine = Signal(hw.engines)
        m.d.comb += engine.eq(1 << program.engine)

        # Loop nest -> banks -> streams.
        m.submodules.issue = issue = IssueNest(
            hardware=hw,
            program=layer_program,
            pairs=stores.contents(images.pairs),
            skips=stores.contents(images.skips),
        )
        m.submodules.crossbar = crossbar = Crossbar(hardware=hw)
        m.d.comb += [issue.program.eq(program), issue.start.eq(sequencer.start)]
        banks = []
        for b in range(hw.banks):
            bank = Bank(width=hw.word_bits, depth=hw.bank_depth)
            m.submodules[f"bank_{b}"] = bank
            m.d.comb += [
                bank.read_address.eq(getattr(issue, f"address_{b}")),
                getattr(crossbar, f"bank_{b}").eq(bank.read_data),
            ]
            banks.append(bank)
        streams = [(j, q) for q in range(hw.cols) for j in range(hw.group)]
        if hw.pad_bits:
            m.d.comb += crossbar.pad.eq(program.pad)
        for j, q in streams:
            m.d.comb += [
                getattr(crossbar, f"select_{j}_{q}").eq(getattr(issue, f"select_{j}_{q}")),
                getattr(crossbar, f"live_{j}_{q}").eq(getattr(issue, f"live_{j}_{q}")),
            ]
        active, first, last, odd, double = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            active.eq(issue.active_data),
            first.eq(issue.first_data),
            last.eq(issue.last_data),
            odd.eq(issue.odd_data),
            double.eq(issue.double_data),
        ]
        solid = program.solid if hw.plane_pairs else 0  # padding is a live word of zeros

        # Streams and weights -> arrays.
        arrays = []
        for a, parameters in enumerate(hw.arrays):
            array = ProcessingArray(
                parameters=parameters, cols=hw.cols, group=hw.group, drains=hw.drains, stream_bits=hw.word_bits
            )
            m.submodules[f"array_{a}"] = array
            m.d.comb += [
                array.odd.eq(odd),
                array.accumulate.eq(active & engine[a]),
                array.capture.eq(last),
                array.double.eq(double),
                array.merge.eq(program.merged if parameters.merged else 0),
            ]
            for j, q in streams:
                m.d.comb += [
                    getattr(array, f"stream_{j}_{q}").eq(getattr(crossbar, f"stream_{j}_{q}")),
                    getattr(array, f"live_{j}_{q}").eq(getattr(crossbar, f"stream_live_{j}_{q}") | solid),
                ]
            for p in range(parameters.rows):
                width = array.products * parameters.weight_bits
                words = images.weights[a][p]
                weight_address, word = stores.memory(f"weights_{a}", p, width=width, words=words)
                m.d.comb += [weight_address.eq(issue.weight_address), getattr(array, f"weights_{p}").eq(word)]
            arrays.append(array)

        for v, parameters in enumerate(hw.vectors, start=len(arrays)):
            path = VectorArray(parameters=parameters, cols=hw.cols, stream_bits=hw.word_bits)
            m.submodules[f"vector_{v}"] = path
            width, words = len(path.weights), images.weights[v][0]
            weight_address, word = stores.memory(f"weights_{v}", 0, width=width, words=words)
            m.d.comb += [
                weight_address.eq(issue.weight_address),
                path.weights.eq(word),
                path.accumulate.eq(active & engine[v]),
                path.capture.eq(last),
            ]
            for q in range(hw.cols):
                m.d.comb += [
                    getattr(path, f"stream_{q}").eq(getattr(crossbar, f"stream_0_{q}")),
                    getattr(path, f"live_{q}").eq(getattr(crossbar, f"stream_live_0_{q}")),
                ]
            arrays.append(path)

        # Arrays -> one sum a filter -> codes.
        m.submodules.drain = drain = DrainControl(count_bits=hw.count_bits)
        m.submodules.retire = retire = RetireNest(hardware=hw, program=layer_program)
        m.d.comb += [
            drain.captured.eq(Cat(array.captured for array in arrays).any()),
            drain.steps.eq(program.steps),
            drain.rows.eq(program.rows),
            retire.program.eq(program),
            retire.start.eq(sequencer.start),
            retire.emit.eq((drain.emit & ~engine[hw.pool]) | (issue.block_end & engine[hw.pool])),
        ]
        m.submodules.results = results = Results(hardware=hw, program=layer_program)
        m.d.comb += [
            results.program.eq(program),
            results.start.eq(sequencer.start & program.to_results),
            results.done.eq(retire.done & program.to_results),
            results.enable.eq(retire.code_enable & program.to_results),
            sequencer.results_busy.eq(results.busy),
        ]
        for array in arrays:
            m.d.comb += array.shift.eq(drain.shift)
        codes = {}
        for k in range(hw.code_lanes):
            first_engine = 0 if k < hw.drains else len(hw.arrays)  # that has this lane
            sums = []
            for q in range(hw.cols):
                of_arrays = []
                for a, parameters in enumerate((*hw.arrays, *hw.vectors)):
                    if a < first_engine:
                        continue
                    head = getattr(arrays[a], f"sum_{k}_{q}")
                    if parameters in hw.vectors:  # a lane's sum is whole
                        shape = signed(hw.of_lane(k).sum_bits)
                        whole = Signal(shape, name=f"sum_{a}_{k}_{q}", reset_less=True)
                        m.d.sync += whole.eq(head)
                        of_arrays.append(whole)
                        continue
                    shift = parameters.spec.shift
                    lane = DrainLane(shape=_widen(head.shape(), hw.group))
                    m.submodules[f"drain_{a}_{k}_{q}"] = lane
                    m.d.comb += [lane.shift.eq(drain.shift), lane.shift_last.eq(drain.shift_last), lane.row.eq(head)]
                    wide = Signal(signed(hw.sum_bits), name=f"sum_{a}_{k}_{q}")
                    m.d.comb += wide.eq(lane.sum << shift)
                    of_arrays.append(wide)
                at = program.engine - first_engine if first_engine else program.engine
                sums.append(of_arrays[0] if len(of_arrays) == 1 else Array(of_arrays)[at])
            lanes = dividing_lanes if hw.line else counting_lanes
            for q, (code, difference) in enumerate(lanes(m, hw, k, stores, retire, program, sums)):
                # a narrower code is at the top of a quotient, at the bottom of a count
                codes[k, q] = {bits: code[hw.levels - bits :] if hw.line else code[:bits] for bits in hw.code_bits}
                if q < hw.result_cols and k < hw.result_lanes:
                    m.d.comb += getattr(results, f"value_{k}_{q}").eq(_result(hw, program, code, difference))

        # Codes and pooled words -> banks.
        m.submodules.writer = writer = BankWriter(hardware=hw)
        split = hw.output_planes > 0
        into = PlaneSplitter(hardware=hw) if split else writer
        m.d.comb += [
            into.enable.eq(retire.word_enable & ~program.to_results),
            into.bank.eq(retire.word_bank),
            into.address.eq(retire.word_address),
            into.address_next.eq(retire.word_address_next),
        ]
        if split:
            m.submodules.splitter = into
            m.d.comb += [
                into.planes.eq(program.o_word),
                into.done.eq(retire.done),
                sequencer.done.eq(into.finished),
                writer.enable.eq(into.plane_enable),
                writer.bank.eq(into.plane_bank),
                writer.address.eq(into.plane_address),
                writer.address_next.eq(into.plane_address_next),
            ]
            for q in range(hw.cols):
                m.d.comb += [
                    getattr(writer, f"column_{q}").eq(getattr(into, f"plane_column_{q}")),
                    getattr(writer, f"word_{q}").eq(getattr(into, f"plane_word_{q}")),
                ]
        else:
            m.d.comb += sequencer.done.eq(retire.done)
        if hw.squares:
            m.d.comb += writer.side.eq(program.o_side)
        by_planes = (program.o_word > 1) if split else 0
        for q in range(hw.cols):
            packed, pooled = [], []
            for i, bits in enumerate(hw.code_bits):
                m.submodules[f"packer_{i}_{q}"] = packer = Packer(
                    lanes=hw.lanes, drains=hw.drains, wide=hw.code_lanes, code_bits=bits
                )
                m.d.comb += [
                    packer.codes.eq(Cat(codes[k, q][bits] for k in range(hw.code_lanes))),
                    packer.enable.eq(retire.code_enable),
                    packer.first.eq(retire.code_first),
                    packer.slot.eq(retire.code_slot),
                ]
                if hw.extra:
                    m.d.comb += packer.spread.eq(program.wide)
                packed.append(_word(packer.word, bits, by_planes))
            for i, (bits, is_signed) in enumerate(hw.pooled):
                m.submodules[f"pool_{i}_{q}"] = pool = MaxPool(
                    group=hw.group, lanes=hw.lanes, code_bits=bits, is_signed=is_signed
                )
                m.d.comb += [pool.active.eq(active), pool.first.eq(first)]
                for j in range(hw.group):
                    m.d.comb += [
                        getattr(pool, f"stream_{j}").eq(getattr(crossbar, f"stream_{j}_{q}")),
                        getattr(pool, f"live_{j}").eq(getattr(crossbar, f"stream_live_{j}_{q}")),
                    ]
                pooled.append(_word(pool.word, bits, by_planes))
            word = getattr(into, f"word_{q}")
            m.d.comb += getattr(into, f"column_{q}").eq(getattr(retire, f"column_{q}"))
            with m.If(engine[hw.pool]):
                m.d.comb += word.eq(_choose(pooled, program.format))
            with m.Else():
                m.d.comb += word.eq(_choose(packed, program.format))

        # Images -> banks; results -> host.
        m.submodules.loader = loader = Loader(hardware=hw, program=input_program)
        m.d.comb += [
            loader.program.eq(sequencer.input_program),
            loader.start.eq(sequencer.input_start),
            loader.free.eq(sequencer.free),
            sequencer.loaded.eq(loader.loaded),
            writer.load_enable.eq(loader.load_enable),
            writer.load_bank.eq(loader.load_bank),
            writer.load_address.eq(loader.load_address),
            writer.load_data.eq(loader.load_data),
            loader.load_ready.eq(writer.load_ready),
        ]
        if hw.load_bits:
            self._connect_filler(m, stores, sequencer, issue, loader)
        connect(m, flipped(self.input), loader.input)
        connect(m, results.output, flipped(self.output))

        for b, bank in enumerate(banks):
            enable = getattr(writer, f"write_enable_{b}")
            address = getattr(writer, f"write_address_{b}")
            word = getattr(writer, f"write_data_{b}")
            m.d.comb += [bank.write_enable.eq(enable), bank.write_address.eq(address), bank.write_data.eq(word)]
            if self.probe:
                m.d.comb += [
                    getattr(self, f"probe_{b}_en").eq(enable),
                    getattr(self, f"probe_{b}_addr").eq(address),
                    getattr(self, f"probe_{b}_data").eq(word),
                ]
        return m

    def _connect_filler(self, m, stores, sequencer, issue, loader):
        """Load port to program and table of planes; who runs when. The other memories have been connected."""
        filler = stores.filler
        connect(m, flipped(self.load), filler.load)
        enable, address, word = stores.port("program")
        m.d.comb += [
            filler.idle.eq(sequencer.idle),
            sequencer.running.eq(filler.running),
            loader.stop.eq(~filler.running),
            sequencer.write_enable.eq(enable),
            sequencer.write_address.eq(address),
            sequencer.write_data.eq(word),
        ]
        if self.design.hardware.weight_stream:
            m.d.comb += [sequencer.weights_ready.eq(filler.ready), filler.used.eq(sequencer.weights_used)]
        for name in ("pairs", "skips"):
            if f"{name}_enable" in issue.signature.members:
                enable, address, word = stores.port(name)
                m.d.comb += [
                    getattr(issue, f"{name}_enable").eq(enable),
                    getattr(issue, f"{name}_address").eq(address),
                    getattr(issue, f"{name}_data").eq(word),
                ]


def _widen(shape, rows):
    """Shape of a sum of ``rows`` values of ``shape``."""
    bits = shape.width + (rows - 1).bit_length()
    return signed(bits) if shape.signed else unsigned(bits)


def _word(word, bits, by_planes):
    """A word of codes, or its bit planes one after the other."""
    if bits == 1 or isinstance(by_planes, int):
        return word
    return Mux(by_planes, Cat(word[bit::bits] for bit in range(bits)), word)


def _result(hw, program, code, difference):
    """What leaves of a sum: its code, or the sum itself."""
    values = []
    for bits, is_signed in hw.result_codes:
        value = code[hw.levels - bits :] if hw.line else code
        values.append(value.as_signed() if is_signed else value)
    raws = [difference >> shift for shift in hw.result_shifts]
    raw = _choose(raws, program.result_shift if len(raws) > 1 else 0)
    value = _choose(values, program.result_code if len(values) > 1 else 0)
    return Mux(program.raw, raw, value)


def _choose(values, index):
    """The value at ``index``; no multiplexer where there is one."""
    if not values:
        return 0
    return values[0] if len(values) == 1 else Array(values)[index]
