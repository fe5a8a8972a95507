"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.contents import HEADER_BITS, memory_groups
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.buffers import place_maps
from rowloom.hw.mapping.choose import plane_sets, without
from rowloom.hw.mapping.codes import Codes, codes_of
from rowloom.hw.mapping.cycles import array_cycles, load_cycles, pool_cycles
from rowloom.hw.mapping.ends import ends_of
from rowloom.hw.mapping.fill import fill_array, fill_vector, weight_words
from rowloom.hw.mapping.folding import TooFast, fold_step, vector_drains
from rowloom.hw.mapping.groups import with_slices
from rowloom.hw.mapping.hopeless import is_hopeless
from rowloom.hw.mapping.inserts import with_inserts
from rowloom.hw.mapping.losses import losses_of
from rowloom.hw.mapping.place import Buffer
from rowloom.hw.mapping.planes import Planes, pair_rows
from rowloom.hw.mapping.portions import with_portions
from rowloom.hw.mapping.records import program_words
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.slices import Split
from rowloom.hw.mapping.sparse import skip_words
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.streaming import place_streams, weight_sections
from rowloom.hw.mapping.timeline import Timeline
from rowloom.hw.mapping.widths import hardware_of
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import input_fields, layer_fields, record_words
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network
from rowloom.model.rewrites.multiples import with_multiples
from rowloom.model.rewrites.tables import with_thresholds

#: Images after which layers that wait for weights do so in a steady way.
SETTLED = 32

__all__ = ["Mapped", "best_of", "compile", "map_network", "pieces_of"]


def compile(network: Network, config: ArrayConfig) -> Design:
    """Compile a network for an array.

    Parameters
    ----------
    network : Network
    config : ArrayConfig

    Returns
    -------
    Design
        With the exact cycles of every layer.

    Raises
    ------
    RowloomError
        Naming the layer that the accelerator cannot run, and why.
    """
    return best_of(network, config)[0]


def whole_of(network: Network, config: ArrayConfig) -> Network:
    """A network before its groups are split: tables and sums of maps in the engine's terms, layers put in."""
    counted = with_thresholds(network, straight=ends_of(network).straight)
    return with_inserts(with_multiples(counted), config)


def pieces_of(network: Network, config: ArrayConfig) -> Split:
    """A network as the engine runs it: layers put in, and layers in parts where that is better."""
    pieces = with_slices(whole_of(network, config), config, _banks(config))
    return with_portions(pieces, config, _banks(config)) if config.weight_stream else pieces


def best_of(network: Network, config: ArrayConfig) -> tuple[Design, frozenset[str]]:
    """The best design for a network, and its layers that run as bit planes."""
    pieces = pieces_of(network, config)
    trials: dict[frozenset[str], Design] = {}
    problem: RowloomError | None = None
    for planes in plane_sets(pieces.whole, config):
        if trials and is_hopeless(pieces.network, config, _banks(config), planes, next(iter(trials.values()))):
            continue
        try:
            mapped, ran = map_network(pieces.network, config, pieces.of(planes))
            trials.setdefault(ran, mapped.design(mapped.needs))
        except RowloomError as error:
            problem = problem or error
    if not trials:
        assert problem is not None
        raise problem
    planes, best = min(trials.items(), key=lambda item: item[1].cost.lut4 * item[1].cycles)
    choice = _tell(trials, best) if len(trials) > 1 else ""
    return finished(replace(best, config=config, choice=choice), network, pieces), planes


def finished(design: Design, network: Network, pieces: Split) -> Design:
    """The design for the network that was given: the products of layers that were put in do not count."""
    put_in = {layer.name for layer in pieces.whole.layers} - {layer.name for layer in network.layers}
    plans = tuple(replace(plan, macs=0, losses=None) if plan.name in put_in else plan for plan in design.layers)
    return replace(design, network=network, mapped=pieces.whole, parts=pieces.parts, layers=plans)


def map_network(
    network: Network, config: ArrayConfig, planes: frozenset[str], built: Hardware | None = None
) -> tuple["Mapped", frozenset[str]]:
    """Map with the named layers as bit planes, save those whose input cannot be written so fast."""
    while True:
        try:
            return _map(network, config, planes, built), planes
        except TooFast as error:
            planes = without(network, planes, network.layer(error.subject).output)


@dataclass(kw_only=True)
class Mapped:
    """A network on an array, still without contents of the memories.

    Parameters
    ----------
    network : Network
    config : ArrayConfig
    steps : list of Step
    layouts, buffers : mapping
        As in :class:`rowloom.hw.design.Design`.
    codes : Codes
        Thresholds of every layer that sums.
    pairs : list of int
        Rows of the table of bit planes.
    needs : Hardware
        The least accelerator that runs it.
    """

    network: Network
    config: ArrayConfig
    steps: list[Step]
    layouts: Mapping[str, Layout]
    buffers: tuple[Buffer, ...]
    codes: Codes
    pairs: list[int]
    needs: Hardware

    def design(self, hardware: Hardware) -> Design:
        """The design for an accelerator that has what is needed."""
        there: list[ArrayParameters | VectorParameters] = [*hardware.arrays, *hardware.vectors]
        engines = {each.kind: each for each in there}
        for step in self.steps:
            if step.array is not None:
                step.array = engines[step.array.kind]
        images = Images(
            program=tuple(program_words(self.network, self.config, hardware, self.steps, self.layouts)),
            weights=tuple(weight_words(engine, self.steps) for engine in engines.values()),
            thresholds=self.codes.words(hardware),
            pairs=tuple(self.pairs),
            skips=tuple(skip_words(self.steps, self.layouts, hardware.skips)),
            stream=weight_sections(self.steps, hardware),
        )
        plans = [plan_of(self.network, hardware, step) for step in self.steps]
        timeline = None
        if images.stream:
            timeline = self._timeline(hardware, plans)
            settled = timeline.stalls(SETTLED)[-1]
            plans = [
                plan_of(self.network, hardware, step, stall) for step, stall in zip(self.steps, settled, strict=True)
            ]
        return Design(
            network=self.network,
            mapped=self.network,
            config=self.config,
            hardware=hardware,
            images=images,
            layouts=self.layouts,
            buffers=self.buffers,
            layers=tuple(plans),
            timeline=timeline,
        )

    def _timeline(self, hardware: Hardware, plans: Sequence[LayerPlan]) -> Timeline:
        """When layers run and their weights come."""
        groups = {group.name: group for group in memory_groups(hardware)}
        engines = (*hardware.arrays, *hardware.vectors)
        sections: list[tuple[int, int] | None] = []
        for step in self.steps:
            if step.lead is None:
                sections.append(None)
                continue
            group = groups[f"weights_{engines.index(step.array)}"]
            words = step.weights.words.shape[1] * group.members
            sections.append((words * group.beats(hardware.load_bits), step.lead))
        source = self.network.input
        release = len(plans)
        if self.config.prefetch:
            release = 1 + max(i for i, plan in enumerate(plans) if source in plan.sources)
        return Timeline(
            cycles=tuple(plan.cycles for plan in plans),
            sections=tuple(sections),
            interval=hardware.load_bits // hardware.weight_stream,
            header_beats=HEADER_BITS // hardware.load_bits,
            input_words=record_words(input_fields(hardware)),
            record_words=record_words(layer_fields(hardware)),
            load=load_cycles(self.layouts[source]),
            release=release,
        )


def _tell(trials: Mapping[frozenset[str], Design], best: Design) -> str:
    """What was tried, in one line."""
    ways = []
    for planes, design in trials.items():
        names = [layer.name for layer in design.layers if layer.name in planes]
        kind = f"{', '.join(names)} as bit planes" if names else "units only"
        ways.append((design is not best, f"{kind} {design.cost.lut4:,} LUT4 x {design.cycles:,} cycles"))
    chosen, *others = (way for _, way in sorted(ways))
    return f"{chosen}, rather than {'; '.join(others)}"


def _map(network: Network, config: ArrayConfig, planes: Collection[str], built: Hardware | None) -> Mapped:
    """Map with the named layers as bit planes; as far as possible onto what is built."""
    banks = _banks(config)
    if built is not None:
        config = replace(config, vector_drains=built.code_lanes)
    steps, arrays, vectors, maps = steps_of(network, config, banks, planes, built)
    planar = {
        maps.buffer[name]: layout.word_planes
        for step in steps
        for name, layout in zip(step.inputs, step.layouts, strict=True)
    }
    for step in steps:
        wide = 1 if step.final else planar[maps.buffer[step.output]]
        fold_step(step, config, banks, network.input, wide, built=built is not None)
    drains = vector_drains(steps, config)
    if drains > config.drains and not config.vector_drains:
        return _map(network, replace(config, vector_drains=drains), planes, built)
    arrays = [fill_array(array, [step for step in steps if step.array is array], config) for array in arrays]
    vectors = [fill_vector(path, [step for step in steps if step.array is path], network, config) for path in vectors]
    if config.weight_stream:
        arrays, vectors = place_streams(arrays, vectors, steps, _limits(config, built))

    layouts, buffers = place_maps(network, steps, maps, config)
    codes = codes_of(network, steps, config, built)
    pairs = _pairs(steps)
    needs = hardware_of(network, config, banks, arrays, vectors, steps, layouts, codes, pairs)
    if built is not None:  # where only sums leave, any form of codes will do, and the other way round
        finals = [step for step in steps if step.final]
        needs = replace(
            needs,
            result_codes=needs.result_codes if any(step.layer_post for step in finals) else (),
            result_shifts=needs.result_shifts if any(step.layer_post is None for step in finals) else (),
        )
    return Mapped(
        network=network,
        config=config,
        steps=steps,
        layouts=layouts,
        buffers=buffers,
        codes=codes,
        pairs=pairs,
        needs=needs,
    )


def _limits(config: ArrayConfig, built: Hardware | None) -> dict[object, int]:
    """Most words of each engine's weight memories, by its kind; under None those of any other."""
    there: list[ArrayParameters | VectorParameters] = [*built.arrays, *built.vectors] if built else []
    return {None: config.weight_depth} | {each.kind: each.weight_depth for each in there}


def _banks(config: ArrayConfig) -> int:
    """Enough for the rows of a strip at stride 1, and for a strip of stride 2 or of 2 x 2 pooling."""
    return 1 << (max(config.cols + config.group - 1, 2 * config.cols) - 1).bit_length()


def _pairs(steps: Sequence[Step]) -> list[int]:
    """The table of bit planes: a few rows for each pair of encodings that runs as planes."""
    bases: dict[Planes, int] = {}
    rows: list[int] = []
    for step in steps:
        if step.planes is None:
            continue
        if step.planes not in bases:
            bases[step.planes] = len(rows)
            rows += pair_rows(step.planes)
        step.pair_base = bases[step.planes]
    return rows


def plan_of(network: Network, hardware: Hardware, step: Step, stall: int = 0) -> LayerPlan:
    """What a step takes where it waits for its weights so long, and where the array's time goes."""
    words = record_words(layer_fields(hardware))
    if step.path == "pool":
        cycles, peak, unit = pool_cycles(step.fold, record_words=words), 0, "pool"
        products = 0
    elif step.path == "vector":
        path = step.array
        cycles = array_cycles(step.fold, latency=path.LATENCY, code=hardware.code_cycles, record_words=words)
        products = path.lanes
        peak, unit = hardware.cols * products, path.unit
    else:
        array = step.array
        products = array.lanes * (hardware.group if array.stacked else 1)
        latency = array.spec.latency(products)
        cycles = array_cycles(step.fold, latency=latency, code=hardware.code_cycles, record_words=words)
        peak, unit = array.rows * hardware.cols * products, array.unit
    cycles += stall
    macs = 0 if isinstance(step.layer, Send) else network.macs(step.layer)
    planes = step.planes.products if step.planes else 1
    losses = None
    if macs and peak:
        losses = losses_of(
            step, cols=hardware.cols, products=products, peak=peak, macs=planes * macs, cycles=cycles, stall=stall
        )
    return LayerPlan(
        name=step.name,
        op=step.layer.op,
        sources=step.inputs,
        tensor=step.tensor,
        unit=unit,
        fold=step.fold,
        macs=macs,
        cycles=cycles,
        peak=peak,
        planes=planes,
        losses=losses,
        to_results=step.final,
        stall=stall,
    )
