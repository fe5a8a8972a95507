"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.mapping.buffers import place_maps
from rowloom.hw.mapping.choose import plane_sets
from rowloom.hw.mapping.cycles import array_cycles, pool_cycles
from rowloom.hw.mapping.fill import fill_array, fill_vector, weight_words
from rowloom.hw.mapping.folding import TooFast, fold_step
from rowloom.hw.mapping.inserts import with_inserts
from rowloom.hw.mapping.lines import lines_of
from rowloom.hw.mapping.losses import losses_of
from rowloom.hw.mapping.planes import Planes, pair_rows
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words, quotients
from rowloom.hw.mapping.records import program_words
from rowloom.hw.mapping.scales import with_multiples
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.sparse import skip_words
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.thresholds import threshold_tables, threshold_words
from rowloom.hw.mapping.widths import hardware_of, sum_bits_of
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import layer_fields, record_words
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

__all__ = ["compile"]

#: Narrowest codes that are found by division; one comparison needs none.
LEAST_DIVIDED = 2

Table = tuple[np.ndarray, np.ndarray]


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
    given, network = network, with_inserts(with_multiples(network), config)
    trials: dict[frozenset[str], Design] = {}
    problem: RowloomError | None = None
    for planes in plane_sets(network, config):
        try:
            design, ran = _retry(network, config, planes)
            trials.setdefault(ran, design)
        except RowloomError as error:
            problem = problem or error
    if not trials:
        assert problem is not None
        raise problem
    best = min(trials.values(), key=lambda design: design.cost.lut4 * design.cycles)
    return replace(best, network=given, mapped=network, choice=_tell(trials, best) if len(trials) > 1 else "")


def _retry(network: Network, config: ArrayConfig, planes: frozenset[str]) -> tuple[Design, frozenset[str]]:
    """Compile with the named layers as bit planes, save those whose input cannot be written so fast."""
    while True:
        try:
            return _compile(network, config, planes), planes
        except TooFast as error:
            if not planes & error.readers:
                raise
            planes -= error.readers


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
        try:
            fold_step(step, config, banks, network.input, wide)
        except TooFast as error:
            home = maps.buffer[step.output]
            error.readers = frozenset(
                each.layer.name for each in steps for name in each.inputs if maps.buffer[name] == home
            )
            raise
    arrays = [fill_array(array, [step for step in steps if step.array is array], config) for array in arrays]
    vectors = [fill_vector(path, [step for step in steps if step.array is path], network, config) for path in vectors]

    layouts, buffers = place_maps(network, steps, maps, config)
    levels = max(step.levels for step in steps)
    summing = [step for step in steps if step.path != "pool"]
    lines = lines_of(network, levels) if levels >= LEAST_DIVIDED else None
    tables: list[Table] = []
    found: list[Quotients] = []
    if lines is None:
        tables = [threshold_tables(step, config, levels) for step in summing]
        ends = [(int(table.min()), int(table.max())) for table, _ in tables]
    else:
        found = [quotients(step, lines, config) for step in summing]
        ends = [(int(each.threshold.min()), int(each.threshold.max())) for each in found]
    sum_bits = sum_bits_of(summing, ends, config.group)
    line = None if lines is None else line_parameters(found, lines, sum_bits)
    depth = _place_thresholds(summing)
    pairs = _pairs(steps)
    hardware = hardware_of(
        network, config, banks, arrays, vectors, steps, layouts, levels, pairs, line, sum_bits, depth
    )
    images = Images(
        program=tuple(program_words(network, config, hardware, steps, layouts)),
        weights=(*(weight_words(a, steps) for a in arrays), *(weight_words(v, steps) for v in vectors)),
        thresholds=(
            line_words(found, config, line, sum_bits, levels)
            if line
            else threshold_words(tables, config, levels, sum_bits)
        ),
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


def _place_thresholds(steps: Sequence[Step]) -> int:
    """Put the layers one behind the other in the threshold memories; return the words that they take."""
    depth = 0
    for step in steps:
        step.threshold_base = depth
        depth += step.fold.blocks * step.fold.groups
    return depth


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
        inputs=step.inputs,
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
