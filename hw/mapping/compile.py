"""Compiles a network for an array: fold every layer, place every tensor, fill every memory."""

from dataclasses import dataclass, field, replace
from math import gcd
from typing import Any

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design, Images, LayerPlan
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cycles import array_cycles, pool_cycles
from rowloom.hw.mapping.fold import Fold, Window, array_folds, pool_fold, window_of
from rowloom.hw.mapping.place import place
from rowloom.hw.mapping.weights import RowWeights, row_weights
from rowloom.hw.parameters import ArrayParameters, Hardware
from rowloom.hw.program import input_fields, layer_fields, pack, record_words
from rowloom.hw.units import SPECS, UnitSpec, unit_for
from rowloom.model.encodings import Binary
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Conv2d, Linear, MaxPool2d
from rowloom.model.network import Network
from rowloom.model.post import Thresholds

__all__ = ["compile"]


@dataclass(kw_only=True)
class _Step:
    """A layer while it is being compiled; ``fold`` and ``weights`` follow, the latter only with a ``spec``."""

    layer: Any  # Conv2d or Linear, with a spec, else MaxPool2d
    spec: type[UnitSpec] | None
    window: Window
    source: Layout
    argmax: bool = False
    tensor: str = ""
    fold: Fold = field(init=False)
    weights: RowWeights = field(init=False)
    weight_base: int = 0
    threshold_base: int = 0


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
    steps = _steps(network, config, banks)
    arrays = _arrays(steps, config)
    index = {array.unit: i for i, array in enumerate(arrays)}
    for step in steps:
        _fold(step, config, banks, arrays[index[step.spec.NAME]] if step.spec else None)
    for i, array in enumerate(arrays):
        arrays[i] = _fill(array, [s for s in steps if s.spec and array.unit == s.spec.NAME], config)

    layouts = _layouts(network, steps, config, banks)
    hardware, thresholds = _hardware(network, config, banks, arrays, steps, layouts)
    images = Images(
        program=tuple(_program(network, config, hardware, steps, layouts, index)),
        weights=tuple(_weight_words(i, array, steps, index) for i, array in enumerate(arrays)),
        thresholds=thresholds,
    )
    return Design(
        network=network,
        config=config,
        hardware=hardware,
        images=images,
        layouts=layouts,
        layers=tuple(_plan(network, config, hardware, step, arrays, index) for step in steps),
    )


def _banks(config: ArrayConfig) -> int:
    """Enough for the rows of a strip at stride 1, and for a strip of stride 2 or of 2 x 2 pooling."""
    return 1 << (max(config.cols + config.group - 1, 2 * config.cols) - 1).bit_length()


def _steps(network: Network, config: ArrayConfig, banks: int) -> list[_Step]:
    """The layers that engines run, with the layout that each needs its input in."""
    if len(network.outputs) != 1:
        raise RowloomError(network.name, f"has {len(network.outputs)} outputs", "the accelerator takes one")
    layers = list(network.layers)
    argmax = None
    if isinstance(layers[-1], ArgMax):
        argmax = layers.pop()
        if not layers or layers[-1].output != argmax.input:
            raise RowloomError(argmax.name, "argmax must follow a convolution or linear layer")
    if not layers or isinstance(layers[-1], MaxPool2d):
        raise RowloomError(network.layers[-1].name, "the last layer must be a convolution or linear layer")
    if network.outputs[0] != network.layers[-1].output:
        raise RowloomError(network.name, f"gives {network.outputs[0]}", "the accelerator gives the last layer's output")
    read = {name for layer in network.layers for name in layer.inputs}
    for layer in network.layers[:-1]:
        if layer.output not in read:
            raise RowloomError(layer.name, f"writes {layer.output}, which no layer reads")
    formats: dict[str, Layout] = {}
    steps = []
    for layer in layers:
        if not isinstance(layer, Conv2d | Linear | MaxPool2d):
            raise RowloomError(layer.name, f"the accelerator does not run {layer.op} here")
        last = layer is layers[-1]
        tensor = network.tensor(layer.input)
        spec = None
        if isinstance(layer, MaxPool2d):
            if not isinstance(tensor.encoding, Binary):
                raise RowloomError(layer.name, f"pools {tensor.encoding}", "the accelerator pools Binary")
        else:
            if isinstance(layer, Conv2d) and layer.groups != 1:
                raise RowloomError(layer.name, f"has {layer.groups} groups", "the accelerator runs 1")
            if isinstance(layer, Conv2d) and layer.pad_value:
                raise RowloomError(layer.name, f"pads with {layer.pad_value}", "the accelerator pads with 0")
            spec = unit_for(layer.weight_encoding, tensor.encoding)
            if layer.post is not None and not isinstance(layer.post, Thresholds):
                raise RowloomError(layer.name, "requantizes", "the accelerator takes thresholds or raw sums")
            output = network.tensor(layer.output).encoding
            if layer.post is not None and not isinstance(output, Binary):
                raise RowloomError(layer.name, f"gives {output}", "the accelerator gives Binary or raw sums")
            if layer.post is None and not last:
                raise RowloomError(layer.name, "gives raw sums", "only the last layer may")
        source = _format(layer, tensor.shape, tensor.encoding, spec, config, banks, first=layer.input == network.input)
        if formats.setdefault(layer.input, source) != source:
            raise RowloomError(layer.name, f"needs {layer.input} in another layout than an earlier layer")
        target = network.tensor(layer.output)
        steps.append(
            _Step(
                layer=layer,
                spec=spec,
                source=source,
                window=window_of(layer, source, target.shape),
                argmax=last and argmax is not None,
                tensor=argmax.output if last and argmax is not None else layer.output,
            )
        )
    return steps


def _format(layer, shape, encoding, spec, config, banks, *, first) -> Layout:
    """The layout in which a layer reads its input."""
    lanes = config.lanes if isinstance(encoding, Binary) else config.input_lanes
    plain = Layout(shape=shape, bits=encoding.bits, lanes=lanes, banks=banks, signed=encoding.signed)
    if not (first and isinstance(layer, Conv2d) and not isinstance(encoding, Binary)):
        return plain
    taps = layer.weights.shape[2]
    columns = layer.output_shape(shape)[1]
    if taps > 1 and taps * shape[2] <= lanes and layer.dilation[1] == 1 and layer.padding[2] < taps:
        return replace(plain, window=taps, stride=layer.stride[1], padding=layer.padding[2], columns=columns)
    return plain


def _arrays(steps: list[_Step], config: ArrayConfig) -> list[ArrayParameters]:
    """One array for each unit that is used; that of the first layer's wide codes is a small one."""
    arrays = []
    for name in SPECS:
        sources = [s.source for s in steps if s.spec and name == s.spec.NAME]
        if not sources:
            continue
        stacked = name == "sign"
        bits = max(source.bits for source in sources)
        arrays.append(
            ArrayParameters(
                unit=name,
                rows=config.drains if stacked else config.rows,
                lanes=config.input_lanes if stacked else config.lanes,
                stacked=stacked,
                activation_bits=bits,
                weight_bits=1,
                weight_depth=1,
                sum_bits=1,
            )
        )
    return arrays


def _fold(step: _Step, config: ArrayConfig, banks: int, array: ArrayParameters | None) -> None:
    """Choose the fold with the fewest cycles."""
    if array is None:
        step.fold = pool_fold(step.window, step.source, config, banks=banks)
        return
    folds = list(
        array_folds(
            step.window,
            step.source,
            config,
            chain=array.rows // config.drains,
            stacked=array.stacked,
            banks=banks,
        )
    )
    if not folds:
        raise RowloomError(
            step.layer.name,
            f"a {step.window.rows} x {step.window.taps} window with dilation {step.window.dilation_y} "
            f"and stride {step.window.stride_y} does not map onto {config.cols} columns and {banks} banks",
        )
    step.fold = min(folds, key=lambda fold: (fold.issue_cycles, fold.steps))


def _fill(array: ArrayParameters, steps: list[_Step], config: ArrayConfig) -> ArrayParameters:
    """Lay out the weights of an array, and give it the widths that they need."""
    spec = SPECS[array.unit]
    for half in (False, True):
        array = replace(array, half=half)
        for step in steps:
            step.weights = row_weights(step.layer, step.source, step.window, step.fold, array, spec, config)
        if not any(step.weights.needs_half for step in steps):
            break
    depth = low = high = 0
    products = array.lanes * (config.group if array.stacked else 1)
    for step in steps:
        step.weight_base = depth
        depth += step.weights.words.shape[1]
        least, greatest = spec.word_range(products, array.activation_bits, half=array.half)
        low = min(low, least * step.fold.accumulation)
        high = max(high, greatest * step.fold.accumulation)
    bits = max((-low - 1).bit_length() + 1 if low else 0, high.bit_length() + (1 if low else 0), 1)
    return replace(array, weight_depth=depth, sum_bits=bits)


def _layouts(network: Network, steps: list[_Step], config: ArrayConfig, banks: int) -> dict[str, Layout]:
    """Place every tensor that lies in the banks."""
    layouts = {step.layer.input: step.source for step in steps}
    reads = {name: [i for i, s in enumerate(steps) if s.layer.input == name] for name in layouts}
    lives = {
        step.layer.output: (i, max(reads[step.layer.output]))
        for i, step in enumerate(steps)
        if step.layer.output in reads
    }
    last = len(steps) - 1
    lives[network.input] = (0, last if config.prefetch else max(reads[network.input]))
    bases = place({n: layout.depth for n, layout in layouts.items()}, lives, list(layouts))
    return {name: replace(layout, base=bases[name]) for name, layout in layouts.items()}


def _hardware(network, config, banks, arrays, steps, layouts) -> tuple[Hardware, tuple[tuple[int, ...], ...]]:
    """Resolve the remaining widths, and fill the threshold memories."""
    depth = 0
    spans, tables = [1], []
    for step in steps:
        if step.spec is None:
            continue
        array = next(a for a in arrays if a.unit == step.spec.NAME)
        shift = 0 if array.half else step.spec.SHIFT
        products = array.lanes * (config.group if array.stacked else 1)
        low, high = step.spec.word_range(products, array.activation_bits, half=array.half)
        scale = step.fold.accumulation * step.fold.rows_summed << shift
        low, high = low * scale, high * scale
        thresholds, invert = _thresholds(step, low, high)
        emissions = step.fold.blocks * step.fold.groups
        count = emissions * config.drains
        table = np.full(count, high + 1)
        flags = np.zeros(count, np.int64)
        table[: len(thresholds)], flags[: len(invert)] = thresholds, invert
        # sums, thresholds and the differences of a used channel must all fit
        for t in table.tolist():
            spans += [t, low - t, high - t]
        spans += [low, high]
        step.threshold_base = depth
        depth += emissions
        tables.append((table.reshape(emissions, config.drains), flags.reshape(emissions, config.drains)))
    sum_bits = max((v if v >= 0 else ~v).bit_length() + 1 for v in spans)
    mask = (1 << sum_bits) - 1
    words = tuple(
        tuple(
            (int(t) & mask) | int(f) << sum_bits
            for table, flags in tables
            for t, f in zip(table[:, k], flags[:, k], strict=True)
        )
        for k in range(config.drains)
    )

    source = layouts[network.input]
    heights = [layout.shape[0] for layout in layouts.values()]
    strips = {step.fold.strip for step in steps}
    write_step = gcd(banks, *strips)
    final = steps[-1].fold
    counts = [
        2 * max(heights),
        *(layout.width for layout in layouts.values()),
        *(layout.shape[1] for layout in layouts.values()),
    ]
    counts += [max(layout.channels, layout.lanes) for layout in layouts.values()]
    for step in steps:
        f, w = step.fold, step.window
        counts += [
            f.words,
            f.taps,
            f.chunks,
            f.blocks,
            f.pixels,
            f.strips,
            f.bubbles,
            f.strip * w.stride_y,
            f.chunk_rows,
            w.rows,
            f.blocks * f.groups,
            w.filters,
            config.lanes,
            f.steps,
            w.stride_y * w.height + w.dilation_y * w.rows,
            w.stride_x * w.width + w.dilation_x * w.taps,
        ]
    hardware = Hardware(
        cols=config.cols,
        group=config.group,
        drains=config.drains,
        arrays=tuple(arrays),
        banks=banks,
        bank_depth=max(layout.base + layout.depth for layout in layouts.values()),
        word_bits=max(config.lanes, *(layout.lanes * layout.bits for layout in layouts.values())),
        write_step=write_step,
        lanes=config.lanes,
        sum_bits=sum_bits,
        threshold_depth=max(1, depth),
        result_cols=min(final.strip, steps[-1].window.height),
        result_depth=final.strips * final.pixels * -(-steps[-1].window.filters // config.drains),
        count_bits=max(counts).bit_length(),
        input_bits=source.bits,
        input_lanes=source.lanes,
        layers=len(steps),
        logic_bits=config.logic_bits,
    )
    return hardware, words


def _thresholds(step: _Step, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    """Threshold and inversion of each filter over the units' offset sums, which lie in low to high."""
    offsets = step.weights.offsets - (0 if step.layer.bias is None else step.layer.bias)
    if step.layer.post is None:
        return offsets, np.zeros(len(offsets), np.int64)
    falls = np.asarray(step.layer.post.direction) < 0
    values = np.asarray(step.layer.post.values)[:, 0]
    # -sum >= v is the contrary of sum >= 1 - v
    rising = np.where(falls, 1 - values, values)
    return np.clip(rising + offsets, low, high + 1), falls.astype(np.int64)


def _program(network, config, hardware, steps, layouts, index) -> list[int]:
    """The input's record, then a record a layer."""
    source = layouts[network.input]
    height, width, channels = source.shape
    right = (source.columns - 1) * source.stride - source.padding + source.window - width if source.packed else 0
    tail = source.channels - (source.words - 1) * source.lanes
    # Addresses are modulo the depth of a bank: a map of one row of banks takes no step to a next one.
    address_mask = (1 << hardware.address_bits) - 1
    words = pack(
        input_fields(hardware),
        {
            "height": height - 1,
            "width": width - 1,
            "words": source.words - 1,
            "word_codes": source.lanes - 1,
            "tail_codes": (channels if source.packed else tail) - 1,
            "place": source.lanes - 1,
            "tail_place": tail - 1,
            "packed": int(source.packed),
            "skip": max(0, source.window - 1 - source.padding),
            "stride": source.stride - 1,
            "padded": int(right > 0),
            "pad": max(0, right - 1),
            "a_first": source.base,
            "a_row": source.row_words & address_mask,
        },
    )
    last_input = max(i for i, step in enumerate(steps) if step.layer.input == network.input)
    for i, step in enumerate(steps):
        fold, window = step.fold, step.window
        layout = layouts[step.layer.input]
        target = layouts.get(step.layer.output)
        pool = step.spec is None
        filters = window.filters
        used = fold.blocks if pool else -(-filters // config.drains)
        final = target is None
        words += pack(
            layer_fields(hardware),
            {
                "engine": hardware.pool if pool else index[step.spec.NAME],
                "words": fold.words - 1,
                "taps": fold.taps - 1,
                "chunks": fold.chunks - 1,
                "blocks": fold.blocks - 1,
                "pixels": fold.pixels - 1,
                "strips": fold.strips - 1,
                "bubbles": fold.bubbles,
                "y_first": -window.top,
                "y_strip": fold.strip * window.stride_y,
                "y_chunk": fold.chunk_rows * window.dilation_y,
                "stride": window.stride_y if fold.strip > 1 else 0,
                "height": layout.shape[0],
                "kernel_rows": window.rows,
                "sum_rows": int(fold.sum_rows),
                "x_first": -window.left,
                "x_pixel": window.stride_x,
                "x_tap": window.dilation_x,
                "width": layout.width,
                "a_first": (layout.base - window.left * layout.words) & address_mask,
                "a_pixel": window.stride_x * layout.words & address_mask,
                "a_tap": window.dilation_x * layout.words & address_mask,
                "a_block": int(pool),
                "a_row": layout.row_words & address_mask,
                "w_first": 0 if pool else step.weight_base,
                "odd": 0 if pool else int(step.weights.odd),
                "steps": fold.steps - 1,
                "rows": fold.rows_summed - 1,
                "emissions": fold.blocks * fold.groups - 1,
                "emissions_used": used - 1,
                "word_emissions": 0 if pool else config.lanes // config.drains - 1,
                "t_first": 0 if pool else step.threshold_base,
                "o_first": 0 if final else target.base,
                "o_row": 0 if final else target.row_words & address_mask,
                "o_height": window.height,
                "strip": fold.strip,
                "to_results": int(final),
                "raw": int(not pool and step.layer.post is None),
                "argmax": int(step.argmax),
                "channels": filters - 1,
                "release_input": int(i == (last_input if config.prefetch else len(steps) - 1)),
                "last": int(i == len(steps) - 1),
            },
        )
    return words


def _weight_words(i: int, array: ArrayParameters, steps: list[_Step], index) -> tuple[tuple[int, ...], ...]:
    """Weight memories of an array, one tuple of words a row."""
    laid = [s.weights.words for s in steps if s.spec and index[s.spec.NAME] == i]
    codes = np.concatenate(laid, axis=1) & ((1 << array.weight_bits) - 1)
    rows, depth = codes.shape[:2]
    bits = (codes[..., None] >> np.arange(array.weight_bits) & 1).astype(np.uint8).reshape(rows, depth, -1)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return tuple(tuple(int.from_bytes(word.tobytes(), "little") for word in row) for row in packed)


def _plan(network, config, hardware, step: _Step, arrays, index) -> LayerPlan:
    words = record_words(layer_fields(hardware))
    if step.spec is None:
        cycles, peak, unit = pool_cycles(step.fold, record_words=words), 0, "pool"
    else:
        array = arrays[index[step.spec.NAME]]
        products = array.lanes * (config.group if array.stacked else 1)
        cycles = array_cycles(step.fold, latency=step.spec.latency(products), record_words=words)
        peak, unit = array.rows * config.cols * products, step.spec.NAME
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
