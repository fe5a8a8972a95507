"""The program of a network: its input's record, then a record a layer."""

from collections.abc import Mapping, Sequence

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.steps import Step
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
    words = pack(input_fields(hardware), _input_record(hardware, layouts[network.input]))
    last_input = max(i for i, step in enumerate(steps) if step.layer.input == network.input)
    releases = last_input if config.prefetch else len(steps) - 1
    for i, step in enumerate(steps):
        record = _layer_record(config, hardware, step, layouts) | {
            "release_input": int(i == releases),
            "last": int(i == len(steps) - 1),
        }
        words += pack(layer_fields(hardware), record)
    return words


def _input_record(hardware: Hardware, source: Layout) -> dict[str, int]:
    height, width, channels = source.shape
    right = (source.columns - 1) * source.stride - source.padding + source.window - width if source.packed else 0
    tail = source.channels - (source.words - 1) * source.lanes
    return {
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
        "a_row": source.row_words & _address_mask(hardware),
    }


def _layer_record(config: ArrayConfig, hardware: Hardware, step: Step, layouts: Mapping[str, Layout]) -> dict[str, int]:
    fold, window = step.fold, step.window
    layout = layouts[step.layer.input]
    target = layouts.get(step.layer.output)
    pool = step.spec is None
    final = target is None
    mask = _address_mask(hardware)
    o_first, o_row = (target.base, target.row_words & mask) if target else (0, 0)
    used = fold.blocks if pool else -(-window.filters // config.drains)
    if pool:
        form = hardware.pooled.index((step.source.bits, step.source.signed))
    else:
        form = 0 if final else hardware.code_bits.index(step.target.bits)
    return {
        "engine": hardware.pool if pool else hardware.arrays.index(step.array),
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
        "a_first": (layout.base - window.left * layout.words) & mask,
        "a_pixel": window.stride_x * layout.words & mask,
        "a_tap": window.dilation_x * layout.words & mask,
        "a_block": int(pool),
        "a_row": layout.row_words & mask,
        "w_first": step.weight_base,
        "odd": 0 if pool else int(step.weights.odd),
        "steps": fold.steps - 1,
        "rows": fold.rows_summed - 1,
        "emissions": fold.blocks * fold.groups - 1,
        "emissions_used": used - 1,
        "word_emissions": 0 if pool else config.lanes // config.drains - 1,
        "t_first": step.threshold_base,
        **({} if hardware.line else {"code_base": _code_base(hardware, step)}),
        "format": form,
        "o_first": o_first,
        "o_row": o_row,
        "o_height": window.height,
        "strip": fold.strip,
        "to_results": int(final),
        "raw": int(not pool and step.layer_post is None),
        "argmax": int(step.argmax),
        "channels": window.filters - 1,
    }


def _code_base(hardware: Hardware, step: Step) -> int:
    return 0 if step.layer_post is None else step.target.code_min & ((1 << hardware.levels) - 1)


def _address_mask(hardware: Hardware) -> int:
    """Addresses are modulo the depth of a bank: a map of one row of banks takes no step to a next one."""
    return (1 << hardware.address_bits) - 1
