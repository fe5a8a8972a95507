"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import gcd

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.choose import plane_sets, without
from rowloom.hw.mapping.cycles import array_cycles, pool_cycles
from rowloom.hw.mapping.fold import array_folds, pool_fold, spaced, vector_fold
from rowloom.hw.mapping.lanes import lane_weights
from rowloom.hw.mapping.lines import lines_of
from rowloom.hw.mapping.maps import Maps
from rowloom.hw.mapping.place import place
from rowloom.hw.mapping.planes import Planes, pair_rows
from rowloom.hw.mapping.quotients import Quotients, line_parameters, line_words, quotients
from rowloom.hw.mapping.records import program_words
from rowloom.hw.mapping.scales import with_multiples
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.steps import Step, steps_of
from rowloom.hw.mapping.thresholds import sum_span, threshold_tables, threshold_words
from rowloom.hw.mapping.weights import row_weights
from rowloom.hw.parameters import ArrayParameters, Hardware, LineParameters, VectorParameters
from rowloom.hw.program import layer_fields, record_words
from rowloom.model.bounds import signed_bits
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

__all__ = ["compile"]

#: Narrowest codes that are found by division; one comparison needs none.
LEAST_DIVIDED = 2

Table = tuple[np.ndarray, np.ndarray]


class TooFast(RowloomError):
    """A layer completes words faster than their planes can be written."""


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
    given, network = network, with_multiples(network)
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
    return replace(best, network=given, choice=_tell(trials, best) if len(trials) > 1 else "")


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
        wide = 1 if step.final else planar[maps.buffer[step.layer.output]]
        _fold(step, config, banks, network.input, wide)
    arrays = [_fill(array, [step for step in steps if step.array is array], config) for array in arrays]
    vectors = [_fill_lanes(path, [step for step in steps if step.array is path], network, config) for path in vectors]

    layouts = _layouts(network, steps, maps, config)
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
    sum_bits = _sum_bits(summing, ends, config.group)
    line = None if lines is None else line_parameters(found, lines, sum_bits)
    depth = _place_thresholds(summing)
    pairs = _pairs(steps)
    hardware = _hardware(network, config, banks, arrays, vectors, steps, layouts, levels, pairs, line, sum_bits, depth)
    images = Images(
        program=tuple(program_words(network, config, hardware, steps, layouts)),
        weights=(*(_weight_words(a, steps) for a in arrays), *(_weight_words(v, steps) for v in vectors)),
        thresholds=(
            line_words(found, config, line, sum_bits, levels)
            if line
            else threshold_words(tables, config, levels, sum_bits)
        ),
        pairs=tuple(pairs),
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


def _fold(step: Step, config: ArrayConfig, banks: int, source: str, planes: int) -> None:
    """Choose the fold with the fewest cycles, for an output whose words are stored as so many planes.

    Rows are only merged in layers that read ``source``, so that an array merges one number of lanes.
    """
    window, array = step.window, step.array
    used, filling = -(-window.filters // config.drains), config.lanes // config.drains
    if step.path != "array":
        pool = step.path == "pool"
        fold = (pool_fold if pool else vector_fold)(window, step.layout, config, banks=banks)
        enough = spaced(fold, planes, word_emissions=1 if pool else filling, used=fold.blocks if pool else used)
        if enough is None:
            raise TooFast(step.name, f"completes words faster than every {planes} cycles")
        step.fold = enough
        return
    chain = array.rows // config.drains
    pairs = len(step.planes.pairs) if step.planes else 1
    merge = step.mergeable and source == step.inputs[0]
    ways = array_folds(
        window, step.layout, config, chain=chain, stacked=array.stacked, banks=banks, planes=pairs, merge=merge
    )
    folds = list(ways)
    if folds and planes > 1:
        spread = [spaced(fold, planes, word_emissions=filling, used=used) for fold in folds]
        folds = [fold for fold in spread if fold]
        if not folds:
            raise TooFast(step.layer.name, f"completes words faster than every {planes} cycles")
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
            step.weights = row_weights(
                step.layer,
                step.layout,
                step.window,
                step.fold,
                array,
                config,
                step.planes,
                places=step.places,
                zero=step.zero,
            )
        wrong = [step for step in steps if step.weights.needs_half]
        if not wrong:
            break
    if wrong:
        raise RowloomError(
            wrong[0].layer.name,
            f"pads {wrong[0].source} with {wrong[0].layout.channels} channels",
            f"the {array.unit} unit pads multiples of {array.lanes}",
        )
    array = replace(array, merged=max((step.layout.channels for step in steps if step.fold.merged), default=0))
    depth = low = high = 0
    for step in steps:
        step.weight_base = depth
        depth += step.weights.words.shape[1]
        step.array = array
        least, greatest = step.row_range(config.group)
        low, high = min(low, least), max(high, greatest)
    bits = max((-low - 1).bit_length() + 1 if low else 0, high.bit_length() + (1 if low else 0), 1)
    array = replace(array, weight_depth=depth, sum_bits=bits)
    for step in steps:
        step.array = array
    return array


def _fill_lanes(
    path: VectorParameters, steps: Sequence[Step], network: Network, config: ArrayConfig
) -> VectorParameters:
    """Lay out the weights of a vector path, and give it the widths that they need."""
    depth, low, high, bits = 0, 0, 0, 1
    for step in steps:
        step.weights, step.span = lane_weights(step.layer, network, step.layout, step.window, step.fold, config)
        step.weight_base = depth
        words = step.weights.words
        depth += words.shape[1]
        low, high = min(low, step.span[0]), max(high, step.span[1])
        bits = max(bits, signed_bits(int(words.min()), int(words.max())))
    path = replace(path, weight_bits=bits, weight_depth=depth, sum_bits=signed_bits(low, high))
    for step in steps:
        step.array = path
    return path


def _layouts(network: Network, steps: Sequence[Step], maps: Maps, config: ArrayConfig) -> dict[str, Layout]:
    """Place every tensor that lies in the banks: buffers by their lifetime, tensors in their buffers."""
    layouts = {name: _read(step, name) for step in steps for name in step.inputs}
    written = {network.input: 0} | {step.layer.output: i for i, step in enumerate(steps) if not step.final}
    last = len(steps) - 1
    lives: dict[str, tuple[int, int]] = {}
    for name, i in written.items():
        reads = [
            at for at, step in enumerate(steps) for source in step.inputs if maps.buffer[source] == maps.buffer[name]
        ]
        _live(lives, maps.buffer[name], i, max(reads, default=i))
    if config.prefetch:
        _live(lives, network.input, 0, last)
    words: dict[str, int] = {}
    for name, layout in layouts.items():
        home = maps.buffer[name]
        words[home] = max(words.get(home, 0), (maps.words_before[name] + layout.words) * layout.word_planes)
    _level(words, [{maps.buffer[name] for name in step.inputs} for step in steps])
    depths = {
        maps.buffer[name]: replace(layout, pitch=words[maps.buffer[name]]).depth for name, layout in layouts.items()
    }
    bases = place(depths, lives, list(depths))
    for step in steps:  # parts of a concatenation are written, but read as a whole
        name = step.layer.output
        if not step.final and name not in layouts:
            whole = next(each for each in layouts if maps.buffer[each] == maps.buffer[name])
            order = tuple(int(at) for at in step.places)
            shape = network.tensor(name).shape
            layouts[name] = replace(layouts[whole], shape=shape, order=order)
    placed = {}
    for name, layout in layouts.items():
        home, before = maps.buffer[name], maps.words_before[name]
        pitch = words[home] if words[home] != layout.pixel_words else 0
        placed[name] = replace(layout, base=bases[home] + before * layout.word_planes, pitch=pitch)
    return placed


def _level(words: dict[str, int], together: Sequence[set[str]]) -> None:
    """Give buffers that a step reads together one pitch: it goes through them in equal steps."""
    before: dict[str, int] = {}
    while words != before:
        before = dict(words)
        for homes in together:
            words.update(dict.fromkeys(homes, max(words[home] for home in homes)))


def _read(step: Step, name: str) -> Layout:
    """The layout in which a step reads a tensor."""
    return step.layouts[step.inputs.index(name)]


def _live(lives: dict[str, tuple[int, int]], name: str, first: int, last: int) -> None:
    """Extend the life of a buffer."""
    before = lives.get(name, (first, last))
    lives[name] = (min(first, before[0]), max(last, before[1]))


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


def _hardware(
    network: Network,
    config: ArrayConfig,
    banks: int,
    arrays: Sequence[ArrayParameters],
    vectors: Sequence[VectorParameters],
    steps: Sequence[Step],
    layouts: Mapping[str, Layout],
    levels: int,
    pairs: Sequence[int],
    line: LineParameters | None,
    sum_bits: int,
    threshold_depth: int,
) -> Hardware:
    """Resolve the remaining widths."""
    source = layouts[network.input]
    finals = [step for step in steps if step.final]
    summing = [step for step in steps if step.path != "pool"]
    written = [layout.word_planes for name, layout in layouts.items() if name != network.input]
    return Hardware(
        cols=config.cols,
        group=config.group,
        drains=config.drains,
        arrays=tuple(arrays),
        vectors=tuple(vectors),
        banks=banks,
        bank_depth=max(layout.base + layout.depth for layout in layouts.values()),
        word_bits=max(layout.word_bits for layout in layouts.values()),
        write_step=gcd(banks, *{step.fold.strip for step in steps}),
        lanes=config.lanes,
        code_bits=tuple(sorted({step.target.bits for step in summing if not step.final})),
        pooled=tuple(sorted({(step.source.bits, step.source.signed) for step in steps if step.path == "pool"})),
        levels=levels,
        line=line,
        result_bits=min(levels, finals[-1].target.bits),
        result_signed=finals[-1].target.signed,
        outputs=len(finals),
        pad_bits=_pad_bits(steps),
        slices=any(layouts[step.layer.output].pitch for step in steps if not step.final),
        sum_bits=sum_bits,
        threshold_depth=threshold_depth,
        result_cols=max(min(step.fold.strip, step.window.height) for step in finals),
        result_depth=max(
            step.fold.strips * step.fold.pixels * -(-step.window.filters // config.drains) for step in finals
        ),
        count_bits=_largest_count(steps, layouts.values()).bit_length(),
        input_bits=source.bits,
        input_lanes=min(source.lanes, source.channels) if source.planes else source.lanes,
        input_zero=source.packed and any(step.zero for step in steps if network.input in step.inputs),
        layers=len(steps),
        logic_bits=config.logic_bits,
        input_planes=source.planes,
        output_planes=max((n for n in written if n > 1), default=0),
        plane_pairs=len(pairs),
        result_shift=finals[-1].scale if finals[-1].layer_post is None else 0,
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


def _pad_bits(steps: Sequence[Step]) -> int:
    """Width of the codes that padding holds where that is not code 0 of a layer."""
    padded = [step for step in steps if step.pads]
    for step in padded:
        if step.source.bits != padded[0].source.bits:
            raise RowloomError(
                step.name,
                f"pads {step.source}",
                f"must be codes of {padded[0].source.bits} bits as in {padded[0].name}",
            )
    return padded[0].source.bits if padded else 0


def _largest_count(steps: Sequence[Step], layouts: Iterable[Layout]) -> int:
    """The largest number that a loop counter or a coordinate must hold."""
    counts = []
    for layout in layouts:
        counts += [2 * layout.shape[0], layout.shape[1], layout.width, layout.channels, layout.lanes]
    for step in steps:
        fold, window = step.fold, step.window
        counts += [fold.planes, fold.words, fold.taps, fold.chunks, fold.blocks, fold.pixels, fold.strips, fold.bubbles]
        counts += [fold.chunk_rows, fold.steps, fold.blocks * fold.groups, window.rows, window.filters]
        counts += [
            fold.strip * window.stride_y,
            window.stride_y * window.height + window.dilation_y * window.rows,
            window.stride_x * window.width + window.dilation_x * window.taps,
        ]
    return max(counts)


def _weight_words(array: ArrayParameters | VectorParameters, steps: Sequence[Step]) -> tuple[tuple[int, ...], ...]:
    """Weight memories of an array, one tuple of words a row."""
    laid = [step.weights.words for step in steps if step.array is array]
    codes = np.concatenate(laid, axis=1) & ((1 << array.weight_bits) - 1)
    rows, depth = codes.shape[:2]
    bits = (codes[..., None] >> np.arange(array.weight_bits) & 1).astype(np.uint8).reshape(rows, depth, -1)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return tuple(tuple(int.from_bytes(word.tobytes(), "little") for word in row) for row in packed)


def _plan(network: Network, hardware: Hardware, step: Step) -> LayerPlan:
    words = record_words(layer_fields(hardware))
    if step.path == "pool":
        cycles, peak, unit = pool_cycles(step.fold, record_words=words), 0, "pool"
    elif step.path == "vector":
        path = step.array
        cycles = array_cycles(step.fold, latency=path.LATENCY, code=hardware.code_cycles, record_words=words)
        peak, unit = hardware.cols * path.lanes, path.unit
    else:
        array = step.array
        products = array.lanes * (hardware.group if array.stacked else 1)
        latency = array.spec.latency(products)
        cycles = array_cycles(step.fold, latency=latency, code=hardware.code_cycles, record_words=words)
        peak, unit = array.rows * hardware.cols * products, array.unit
    return LayerPlan(
        name=step.name,
        op=step.layer.op,
        source=step.inputs[0],
        tensor=step.tensor,
        unit=unit,
        fold=step.fold,
        macs=0 if isinstance(step.layer, Send) else network.macs(step.layer),
        cycles=cycles,
        peak=peak,
        planes=step.planes.products if step.planes else 1,
        to_results=step.final,
    )
