"""Widths and depths of what is built, as the steps need them."""

from collections.abc import Iterable, Mapping, Sequence
from math import gcd, lcm

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.codes import Codes
from rowloom.hw.mapping.sparse import skip_parameters
from rowloom.hw.mapping.step import Step
from rowloom.hw.parameters import Hardware
from rowloom.model.network import Network

__all__ = ["hardware_of"]


def hardware_of(
    network: Network,
    config: ArrayConfig,
    banks: int,
    arrays: Sequence[ArrayParameters],
    vectors: Sequence[VectorParameters],
    steps: Sequence[Step],
    layouts: Mapping[str, Layout],
    codes: Codes,
    pairs: Sequence[int],
) -> Hardware:
    """Resolve the remaining widths."""
    source = layouts[network.input]
    squares, parts = any(step.window.side > 1 for step in steps), any(step.region is not None for step in steps)
    finals = [step for step in steps if step.final]
    summing = [step for step in steps if step.path != "pool"]
    coded = [step for step in finals if step.layer_post is not None] or finals[-1:]
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
        write_step=1 if squares or parts else gcd(banks, *{step.fold.strip for step in steps}),
        lanes=config.lanes,
        code_bits=tuple(sorted({step.target.bits for step in summing if not step.final})),
        pooled=tuple(sorted({(step.source.bits, step.source.signed) for step in steps if step.path == "pool"})),
        levels=codes.levels,
        line=codes.line,
        result_codes=tuple(sorted({step.result_code(codes.levels) for step in coded})),
        outputs=len(finals),
        pad_bits=_pad_bits(steps),
        slices=any(layouts[step.output].pitch for step in steps if not step.final),
        sum_bits=codes.sum_bits,
        threshold_depth=codes.depth,
        result_cols=max(min(step.fold.strip, step.window.height) for step in finals),
        result_lanes=max(step.drains for step in finals),
        result_depth=max(
            step.fold.strips * step.fold.pixels * -(-step.window.filters // step.drains) for step in finals
        ),
        count_bits=_largest_count(steps, layouts.values()).bit_length(),
        input_bits=source.bits,
        input_lanes=min(source.lanes, source.channels) if source.planes else source.lanes,
        input_window=source.window_codes if source.packed and source.window_words > 1 else 0,
        input_rows=source.deep,
        input_zero=source.packed and any(step.zero for step in steps if network.input in step.inputs),
        layers=len(steps),
        logic_bits=config.logic_bits,
        input_planes=source.planes,
        output_planes=max((n for n in written if n > 1), default=0),
        plane_pairs=len(pairs),
        result_shifts=tuple(sorted({step.scale for step in finals if step.layer_post is None})) or (0,),
        maps=max(2, *(len(step.inputs) for step in steps)),
        copies=any(step.fold.copies > 1 for step in steps),
        squares=squares,
        result_squares=any(step.square is not None for step in finals),
        parts=parts,
        load_bits=config.load_bits,
        single_port=config.single_port,
        weight_stream=config.weight_stream,
        skips=skip_parameters(steps, layouts),
        extra=codes.extra,
    )


def _pad_bits(steps: Sequence[Step]) -> int:
    """Width of a pattern of the codes that padding holds where that is not code 0 of a layer: all widths divide it."""
    widths = {step.source.bits for step in steps if step.pads}
    return lcm(*widths) if widths else 0


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
            fold.copies * fold.blocks * fold.groups,
            fold.strip * window.side,
        ]
        if step.region is not None:
            counts += [
                window.stride_y * (window.height + fold.strip) + window.rows - window.top,
                window.stride_x * window.width + window.taps - window.left,
            ]
        if step.square is not None:
            counts += [step.square.side**2 * step.square.emissions]
    return max(counts)
