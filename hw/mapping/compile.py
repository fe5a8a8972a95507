"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import gcd

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cycles import array_cycles, pool_cycles
from rowloom.hw.mapping.fold import array_folds, pool_fold
from rowloom.hw.mapping.lines import lines_of
from rowloom.hw.mapping.place import place
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words, quotients
from rowloom.hw.mapping.records import program_words
from rowloom.hw.mapping.steps import Step, steps_of
from rowloom.hw.mapping.thresholds import sum_span, threshold_tables, threshold_words
from rowloom.hw.mapping.weights import row_weights
from rowloom.hw.parameters import ArrayParameters, Hardware, LineParameters
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
    banks = _banks(config)
    steps, arrays = steps_of(network, config, banks)
    for step in steps:
        _fold(step, config, banks)
    arrays = [_fill(array, [step for step in steps if step.array is array], config) for array in arrays]

    layouts = _layouts(network, steps, config)
    levels = max(step.levels for step in steps)
    weighted = [step for step in steps if step.spec]
    lines = lines_of(network, levels) if levels >= LEAST_DIVIDED else None
    tables: list[Table] = []
    found: list[Quotients] = []
    if lines is None:
        tables = [threshold_tables(step, config, levels) for step in weighted]
        ends = [(int(table.min()), int(table.max())) for table, _ in tables]
    else:
        found = [quotients(step, lines, config) for step in weighted]
        ends = [(int(each.threshold.min()), int(each.threshold.max())) for each in found]
    sum_bits = _sum_bits(weighted, ends, config.group)
    line = None if lines is None else line_parameters(found, lines, sum_bits)
    depth = _place_thresholds(weighted)
    hardware = _hardware(network, config, banks, arrays, steps, layouts, levels, line, sum_bits, depth)
    images = Images(
        program=tuple(program_words(network, config, hardware, steps, layouts)),
        weights=tuple(_weight_words(array, steps) for array in arrays),
        thresholds=(
            line_words(found, config, line, sum_bits, levels)
            if line
            else threshold_words(tables, config, levels, sum_bits)
        ),
    )
    return Design(
        network=network,
        config=config,
        hardware=hardware,
        images=images,
        layouts=layouts,
        layers=tuple(_plan(network, hardware, step) for step in steps),
    )


def _banks(config: ArrayConfig) -> int:
    """Enough for the rows of a strip at stride 1, and for a strip of stride 2 or of 2 x 2 pooling."""
    return 1 << (max(config.cols + config.group - 1, 2 * config.cols) - 1).bit_length()


def _fold(step: Step, config: ArrayConfig, banks: int) -> None:
    """Choose the fold with the fewest cycles."""
    window, array = step.window, step.array
    if array is None:
        step.fold = pool_fold(window, step.layout, config, banks=banks)
        return
    chain = array.rows // config.drains
    folds = list(array_folds(window, step.layout, config, chain=chain, stacked=array.stacked, banks=banks))
    if not folds:
        raise RowloomError(
            step.layer.name,
            f"a {window.rows} x {window.taps} window with dilation {window.dilation_y} "
            f"and stride {window.stride_y} does not map onto {config.cols} columns and {banks} banks",
        )
    step.fold = min(folds, key=lambda fold: (fold.issue_cycles, fold.steps))


def _fill(array: ArrayParameters, steps: Sequence[Step], config: ArrayConfig) -> ArrayParameters:
    """Lay out the weights of an array, and give it the widths that they need."""
    for half in (False, True):
        array = replace(array, half=half)
        for step in steps:
            step.weights = row_weights(step.layer, step.layout, step.window, step.fold, array, config)
        wrong = [step for step in steps if step.weights.needs_half]
        if not wrong:
            break
    if wrong:
        raise RowloomError(
            wrong[0].layer.name,
            f"pads {wrong[0].source} with {wrong[0].layout.channels} channels",
            f"the {array.unit} unit pads multiples of {array.lanes}",
        )
    depth = low = high = 0
    for step in steps:
        step.weight_base = depth
        depth += step.weights.words.shape[1]
        least, greatest = array.spec.word_range(_products(array, config))
        low = min(low, least * step.fold.accumulation)
        high = max(high, greatest * step.fold.accumulation)
    bits = max((-low - 1).bit_length() + 1 if low else 0, high.bit_length() + (1 if low else 0), 1)
    array = replace(array, weight_depth=depth, sum_bits=bits)
    for step in steps:
        step.array = array
    return array


def _products(array: ArrayParameters, config: ArrayConfig) -> int:
    return array.lanes * (config.group if array.stacked else 1)


def _layouts(network: Network, steps: Sequence[Step], config: ArrayConfig) -> dict[str, Layout]:
    """Place every tensor that lies in the banks."""
    layouts = {step.layer.input: step.layout for step in steps}
    reads = {name: [i for i, step in enumerate(steps) if step.layer.input == name] for name in layouts}
    lives = {
        step.layer.output: (i, max(reads[step.layer.output]))
        for i, step in enumerate(steps)
        if step.layer.output in reads
    }
    last = len(steps) - 1
    lives[network.input] = (0, last if config.prefetch else max(reads[network.input]))
    bases = place({name: layout.depth for name, layout in layouts.items()}, lives, list(layouts))
    return {name: replace(layout, base=bases[name]) for name, layout in layouts.items()}


def _place_thresholds(steps: Sequence[Step]) -> int:
    """Put the layers one behind the other in the threshold memories; return the words that they take."""
    depth = 0
    for step in steps:
        step.threshold_base = depth
        depth += step.fold.blocks * step.fold.groups
    return depth


def _hardware(
    network: Network,
    config: ArrayConfig,
    banks: int,
    arrays: Sequence[ArrayParameters],
    steps: Sequence[Step],
    layouts: Mapping[str, Layout],
    levels: int,
    line: LineParameters | None,
    sum_bits: int,
    threshold_depth: int,
) -> Hardware:
    """Resolve the remaining widths."""
    source, final = layouts[network.input], steps[-1]
    return Hardware(
        cols=config.cols,
        group=config.group,
        drains=config.drains,
        arrays=tuple(arrays),
        banks=banks,
        bank_depth=max(layout.base + layout.depth for layout in layouts.values()),
        word_bits=max(layout.lanes * layout.bits for layout in layouts.values()),
        write_step=gcd(banks, *{step.fold.strip for step in steps}),
        lanes=config.lanes,
        code_bits=tuple(sorted({step.target.bits for step in steps if step.spec and step.layer.output in layouts})),
        pooled=tuple(sorted({(step.source.bits, step.source.signed) for step in steps if not step.spec})),
        levels=levels,
        line=line,
        result_bits=min(levels, final.target.bits),
        result_signed=final.target.signed,
        sum_bits=sum_bits,
        threshold_depth=threshold_depth,
        result_cols=min(final.fold.strip, final.window.height),
        result_depth=final.fold.strips * final.fold.pixels * -(-final.window.filters // config.drains),
        count_bits=_largest_count(steps, layouts.values()).bit_length(),
        input_bits=source.bits,
        input_lanes=source.lanes,
        layers=len(steps),
        logic_bits=config.logic_bits,
    )


def _sum_bits(steps: Sequence[Step], thresholds: Sequence[tuple[int, int]], group: int) -> int:
    """Bits that hold every sum, every threshold, every difference of the two, and every code that leaves."""
    values = []
    for step, (least, greatest) in zip(steps, thresholds, strict=True):
        low, high = sum_span(step, group)
        values += [low, high, least, greatest, low - greatest, high - least]
        if step.layer_post is not None:
            values += [step.target.code_min, step.target.code_max]
    return max((value if value >= 0 else ~value).bit_length() + 1 for value in values)


def _largest_count(steps: Sequence[Step], layouts: Iterable[Layout]) -> int:
    """The largest number that a loop counter or a coordinate must hold."""
    counts = []
    for layout in layouts:
        counts += [2 * layout.shape[0], layout.shape[1], layout.width, layout.channels, layout.lanes]
    for step in steps:
        fold, window = step.fold, step.window
        counts += [fold.words, fold.taps, fold.chunks, fold.blocks, fold.pixels, fold.strips, fold.bubbles]
        counts += [fold.chunk_rows, fold.steps, fold.blocks * fold.groups, window.rows, window.filters]
        counts += [
            fold.strip * window.stride_y,
            window.stride_y * window.height + window.dilation_y * window.rows,
            window.stride_x * window.width + window.dilation_x * window.taps,
        ]
    return max(counts)


def _weight_words(array: ArrayParameters, steps: Sequence[Step]) -> tuple[tuple[int, ...], ...]:
    """Weight memories of an array, one tuple of words a row."""
    laid = [step.weights.words for step in steps if step.array is array]
    codes = np.concatenate(laid, axis=1) & ((1 << array.weight_bits) - 1)
    rows, depth = codes.shape[:2]
    bits = (codes[..., None] >> np.arange(array.weight_bits) & 1).astype(np.uint8).reshape(rows, depth, -1)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return tuple(tuple(int.from_bytes(word.tobytes(), "little") for word in row) for row in packed)


def _plan(network: Network, hardware: Hardware, step: Step) -> LayerPlan:
    words = record_words(layer_fields(hardware))
    if step.array is None:
        cycles, peak, unit = pool_cycles(step.fold, record_words=words), 0, "pool"
    else:
        array = step.array
        products = array.lanes * (hardware.group if array.stacked else 1)
        latency = array.spec.latency(products)
        cycles = array_cycles(step.fold, latency=latency, code=hardware.code_cycles, record_words=words)
        peak, unit = array.rows * hardware.cols * products, array.unit
    return LayerPlan(
        name=step.layer.name,
        op=step.layer.op,
        source=step.layer.input,
        tensor=step.tensor,
        unit=unit,
        fold=step.fold,
        macs=network.macs(step.layer),
        cycles=cycles,
        peak=peak,
        to_results=step.layer.output == network.layers[-1].output or step.argmax,
    )
