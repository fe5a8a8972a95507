"""The program of a network: its input's record, then a record a layer."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.step import Step
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import input_fields, layer_fields, pack
from rowloom.model.network import Network

__all__ = ["program_words"]


def program_words(
    network: Network,
    config: ArrayConfig,
    hardware: Hardware,
    steps: Sequence[Step],
    layouts: Mapping[str, Layout],
) -> list[int]:
    """Words of the program memory."""
    zero = next(step.zero for step in steps if network.input in step.inputs)
    fields = input_fields(hardware)
    record = _input_record(hardware, layouts[network.input]) | {"zero": zero & ((1 << hardware.input_bits) - 1)}
    words = pack(fields, {name: record[name] for name in fields})
    last_input = max(i for i, step in enumerate(steps) if network.input in step.inputs)
    releases = last_input if config.prefetch else len(steps) - 1
    for i, step in enumerate(steps):
        record = _layer_record(config, hardware, step, layouts) | {
            "last_output": int(i == len(steps) - 1),
            "release_input": int(i == releases),
            "last": int(i == len(steps) - 1),
        }
        fields = layer_fields(hardware)
        words += pack(fields, {name: record[name] for name in fields})
    return words


def _input_record(hardware: Hardware, source: Layout) -> dict[str, int]:
    height, width, channels = source.shape
    right = (source.columns - 1) * source.stride - source.padding + source.window - width if source.packed else 0
    # a window is put together as one word, whatever words it takes
    words, lanes = (1, source.window_codes) if source.packed else (source.words, source.lanes)
    tail = source.window_codes - (words - 1) * lanes
    return {
        "height": height - 1,
        "width": width - 1,
        "words": words - 1,
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
        "a_row": source.row_words & _address_mask(hardware),
        "planar": int(source.planes),
    }


def _layer_record(config: ArrayConfig, hardware: Hardware, step: Step, layouts: Mapping[str, Layout]) -> dict[str, int]:
    fold, window = step.fold, step.window
    layout = layouts[step.inputs[0]]
    target = None if step.final else layouts[step.output]
    pool = step.path == "pool"
    final = target is None
    mask = _address_mask(hardware)
    o_first, o_row = (target.base, target.row_words & mask) if target else (0, 0)
    first_plane = step.planes.pairs[0].activations if step.planes and layout.planes else 0
    used = fold.blocks * fold.copies if pool else -(-window.filters // step.drains)
    a_tap = window.dilation_x * layout.pixel_words
    hops = {f"a_tap_{i}": a_tap & mask for i in range(2, hardware.maps)}
    if len(step.inputs) > 1:  # from map to map
        bases = [layouts[name].base for name in step.inputs]
        a_tap, *others = (after - before for before, after in pairwise(bases))
        hops |= {f"a_tap_{i}": hop & mask for i, hop in enumerate(others, start=2)}
    # the words of a pixel that this step writes, and its channels
    target_words = -(-window.filters // config.lanes)
    channels = window.filters
    if step.square is not None:
        target_words, channels = -(-step.square.channels // config.lanes), step.square.channels
    if target and step.region is not None:
        o_first += step.region.row // target.banks * target.row_words + step.region.column * target.pixel_words
    engines = (*hardware.arrays, *hardware.vectors)
    if pool:
        form = hardware.pooled.index((step.source.bits, step.source.signed))
    else:
        form = 0 if final else hardware.code_bits.index(step.target.bits)
    return {
        "engine": hardware.pool if pool else engines.index(step.array),
        **_window_loops(step),
        "blocks": fold.blocks - 1,
        "pixels": fold.pixels - 1,
        "strips": fold.strips - 1,
        "bubbles": fold.bubbles,
        "y_first": -window.top,
        "y_strip": fold.strip * window.stride_y,
        "y_chunk": fold.chunk_rows * window.dilation_y,
        "stride": window.stride_y if fold.strip > 1 else 0,
        "height": layout.rows,
        "kernel_rows": window.rows,
        "sum_rows": int(fold.sum_rows),
        "merged": int(fold.merged),
        "x_first": -window.left,
        "x_pixel": window.stride_x,
        "x_tap": window.dilation_x,
        "width": layout.width,
        "pad": _padding(hardware, step) if step.pads else 0,
        "a_first": (layout.base + first_plane - window.left * layout.pixel_words) & mask,
        "a_pixel": window.stride_x * layout.pixel_words & mask,
        "a_tap": a_tap & mask,
        **hops,
        "a_block": int(step.path != "array"),
        "a_row": layout.row_words & mask,
        "w_first": step.weight_base + (step.planes.pairs[0].weights if step.planes else 0),
        "streamed": int(step.lead is not None),
        "odd": 0 if pool else int(step.weights.odd),
        "sparse": int(step.kept is not None),
        "s_first": step.skip_base,
        **_plane_record(hardware, step, layout),
        "steps": fold.steps - 1,
        "rows": fold.rows_summed - 1,
        "emissions": fold.blocks * fold.groups * fold.copies - 1,
        "emissions_used": used - 1,
        "word_emissions": 0 if pool else _word_emissions(config, step) - 1,
        "wide": int(step.drains > config.drains),
        "t_first": step.threshold_base,
        "code_base": _code_base(hardware, step),
        "format": form,
        "o_first": o_first,
        "o_row": o_row,
        "o_skip": target.pixel_words - target_words * target.word_planes if target else 0,
        "o_word": target.word_planes if target else 1,
        "o_height": window.height,
        "strip": fold.strip,
        "to_results": int(final),
        "raw": int(not pool and step.layer_post is None),
        "argmax": int(step.argmax),
        **(_result_record(hardware, step) if final else {"result_code": 0, "result_shift": 0}),
        "o_bank": step.region.row % target.banks if target and step.region else 0,
        **_square_record(hardware, step, target, target_words),
        "channels": channels - 1,
    }


def _padding(hardware: Hardware, step: Step) -> int:
    """The code that padding holds, over and over."""
    bits = step.source.bits
    return sum((step.pad & ((1 << bits) - 1)) << at for at in range(0, hardware.pad_bits, bits))


def _word_emissions(config: ArrayConfig, step: Step) -> int:
    """Emissions that fill a word."""
    return step.square.word_emissions if step.square else config.lanes // step.drains


def _square_record(hardware: Hardware, step: Step, target: Layout | None, words: int) -> dict[str, int]:
    """Fields of a layer whose pixels become squares of pixels, or that runs beside others whose do."""
    square, side, mask = step.square, step.window.side, _address_mask(hardware)
    rows = step.fold.strip * side
    o_row = target.row_words if target else 0
    leaves = square is not None and target is None
    across = square.side if square and leaves else 1
    line = across * square.emissions if square and leaves else 0
    return {
        "copies": step.fold.copies - 1,
        "o_words": words - 1,
        "o_side": side - 1,
        "o_square": side * target.pixel_words & mask if target else 0,
        "o_strip": rows % hardware.banks,
        "o_strip_row": rows // hardware.banks * o_row & mask,
        "o_strip_next": (rows // hardware.banks + 1) * o_row & mask,
        "r_across": across - 1,
        "r_line": line,
        "r_skip": (across - 1) * line,
    }


def _result_record(hardware: Hardware, step: Step) -> dict[str, int]:
    """Fields of a layer whose values leave: in which form."""
    if step.layer_post is None:
        return {"result_code": 0, "result_shift": hardware.result_shifts.index(step.scale)}
    return {"result_code": hardware.result_codes.index(step.result_code(hardware.levels)), "result_shift": 0}


def _window_loops(step: Step) -> dict[str, int]:
    """Counts of the loops over a window; the table of words stands for them where some are left out."""
    if step.kept is not None:
        return {"words": 0, "taps": 0, "chunks": 0}
    return {"words": step.fold.words - 1, "taps": step.fold.taps - 1, "chunks": step.fold.chunks - 1}


def _plane_record(hardware: Hardware, step: Step, layout: Layout) -> dict[str, int]:
    """Fields of a layer that runs as bit planes, or does not beside others that do."""
    fold, planes = step.fold, step.planes
    positions = fold.accumulation // fold.planes
    if planes is None:
        return {
            "planes": 0,
            "p_first": 0,
            "a_word": 1,
            "w_word": 1,
            "w_block": positions & _weight_mask(hardware),
            "solid": 0,
        }
    back = planes.pairs[0].weights - planes.pairs[-1].weights
    return {
        "planes": fold.planes - 1,
        "p_first": step.pair_base,
        "a_word": layout.word_planes,
        "w_word": planes.stored,
        "w_block": positions * planes.stored + back & _weight_mask(hardware),
        "solid": int(planes.solid),
    }


def _weight_mask(hardware: Hardware) -> int:
    return (1 << hardware.weight_address_bits) - 1


def _code_base(hardware: Hardware, step: Step) -> int:
    return 0 if step.layer_post is None else step.target.code_min & ((1 << hardware.levels) - 1)


def _address_mask(hardware: Hardware) -> int:
    """Addresses are modulo the depth of a bank: a map of one row of banks takes no step to a next one."""
    return (1 << hardware.address_bits) - 1
