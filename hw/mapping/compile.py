"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.mapping.buffers import place_maps
from rowloom.hw.mapping.choose import plane_sets, without
from rowloom.hw.mapping.codes import codes_of
from rowloom.hw.mapping.cycles import array_cycles, pool_cycles
from rowloom.hw.mapping.fill import fill_array, fill_vector, weight_words
from rowloom.hw.mapping.folding import TooFast, fold_step, vector_drains
from rowloom.hw.mapping.groups import with_slices
from rowloom.hw.mapping.inserts import with_inserts
from rowloom.hw.mapping.losses import losses_of
from rowloom.hw.mapping.planes import Planes, pair_rows
from rowloom.hw.mapping.records import program_words
from rowloom.hw.mapping.scales import with_multiples
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.sparse import skip_words
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.widths import hardware_of
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import layer_fields, record_words
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

__all__ = ["compile"]


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
    given, banks = network, _banks(config)
    whole = with_inserts(with_multiples(network), config)
    pieces = with_slices(whole, config, banks)
    network = pieces.network
    trials: dict[frozenset[str], Design] = {}
    problem: RowloomError | None = None
    for planes in plane_sets(whole, config):
        try:
            design, ran = _retry(network, config, planes)
            trials.setdefault(ran, design)
        except RowloomError as error:
            problem = problem or error
    if not trials:
        assert problem is not None
        raise problem
    best = min(trials.values(), key=lambda design: design.cost.lut4 * design.cycles)
    choice = _tell(trials, best) if len(trials) > 1 else ""
    put_in = {layer.name for layer in whole.layers} - {layer.name for layer in given.layers}
    plans = tuple(replace(plan, macs=0, losses=None) if plan.name in put_in else plan for plan in best.layers)
    return replace(best, network=given, mapped=whole, config=config, layers=plans, parts=pieces.parts, choice=choice)


def _retry(network: Network, config: ArrayConfig, planes: frozenset[str]) -> tuple[Design, frozenset[str]]:
    """Compile with the named layers as bit planes, save those whose input cannot be written so fast."""
    while True:
        try:
            return _compile(network, config, planes), planes
        except TooFast as error:
            planes = without(network, planes, network.layer(error.subject).output)


def _tell(trials: Mapping[frozenset[str], Design], best: Design) -> str:
    """What was tried, in one line."""
    ways = []
    for planes, design in trials.items():
        names = [layer.name for layer in design.layers if layer.name in planes]
        kind = f"{', '.join(names)} as bit planes" if names else "units only"
        ways.append((design is not best, f"{kind} {design.cost.lut4:,} LUT4 x {design.cycles:,} cycles"))
    chosen, *others = (way for _, way in sorted(ways))
    return f"{chosen}, rather than {'; '.join(others)}"


def _compile(network: Network, config: ArrayConfig, planes: Collection[str]) -> Design:
    """Compile with the named layers as bit planes."""
    banks = _banks(config)
    steps, arrays, vectors, maps = steps_of(network, config, banks, planes)
    planar = {
        maps.buffer[name]: layout.word_planes
        for step in steps
        for name, layout in zip(step.inputs, step.layouts, strict=True)
    }
    for step in steps:
        wide = 1 if step.final else planar[maps.buffer[step.output]]
        fold_step(step, config, banks, network.input, wide)
    drains = vector_drains(steps, config)
    if drains > config.drains and not config.vector_drains:
        return _compile(network, replace(config, vector_drains=drains), planes)
    arrays = [fill_array(array, [step for step in steps if step.array is array], config) for array in arrays]
    vectors = [fill_vector(path, [step for step in steps if step.array is path], network, config) for path in vectors]

    layouts, buffers = place_maps(network, steps, maps, config)
    codes = codes_of(network, steps, config)
    pairs = _pairs(steps)
    hardware = hardware_of(network, config, banks, arrays, vectors, steps, layouts, codes, pairs)
    images = Images(
        program=tuple(program_words(network, config, hardware, steps, layouts)),
        weights=(*(weight_words(a, steps) for a in arrays), *(weight_words(v, steps) for v in vectors)),
        thresholds=codes.words(config.drains),
        pairs=tuple(pairs),
        skips=tuple(skip_words(steps, layouts, hardware.skips)),
    )
    return Design(
        network=network,
        mapped=network,
        config=config,
        hardware=hardware,
        images=images,
        layouts=layouts,
        buffers=buffers,
        layers=tuple(plan_of(network, hardware, step) for step in steps),
    )


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


def plan_of(network: Network, hardware: Hardware, step: Step) -> LayerPlan:
    """What a step takes, and where the array's time goes."""
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
    macs = 0 if isinstance(step.layer, Send) else network.macs(step.layer)
    planes = step.planes.products if step.planes else 1
    losses = None
    if macs and peak:
        losses = losses_of(step, cols=hardware.cols, products=products, peak=peak, macs=planes * macs, cycles=cycles)
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
    )
