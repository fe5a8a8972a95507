"""The program: one record of numbers a layer, and how it lies in the program memory."""

from collections.abc import Mapping

from rowloom.hw.parameters import Hardware

__all__ = [
    "MAX_STRIDE",
    "RECORD_WORD_BITS",
    "input_fields",
    "layer_fields",
    "pack",
    "pair_fields",
    "record_words",
    "word_of",
]

#: Bits of a word of the program memory.
RECORD_WORD_BITS = 16

#: Greatest distance in rows between the columns of a strip.
MAX_STRIDE = 7

Fields = dict[str, int]


def layer_fields(hardware: Hardware) -> Fields:
    """Fields of a layer record and their widths in bits, from the low bits up.

    Counts are stored less one. Signed fields (``y_first``, ``x_first``) are two's complement. What only some
    networks need is there only in their accelerators.
    """
    n, a = hardware.count_bits, hardware.address_bits
    fields = {
        # which engine, and the loop nest, inner to outer
        "engine": max(1, (hardware.engines - 1).bit_length()),
        "words": n,
        "taps": n,
        "chunks": n,
        "blocks": n,
        "copies": n if hardware.copies else 0,
        "pixels": n,
        "strips": n,
        "bubbles": n,
        # rows of the input
        "y_first": n + 1,
        "y_strip": n,
        "y_chunk": n,
        "stride": MAX_STRIDE.bit_length(),
        "height": n,
        "kernel_rows": n,
        "sum_rows": 1,
        "merged": int(hardware.merges),
        # columns of the input
        "x_first": n + 1,
        "x_pixel": n,
        "x_tap": n,
        "width": n,
        "pad": hardware.pad_bits,
        # addresses in the banks
        "a_first": a,
        "a_pixel": a,
        "a_tap": a,
        **{f"a_tap_{i}": a for i in range(2, hardware.maps)},
        "a_block": 1,
        "a_row": a,
        # weights
        "w_first": hardware.weight_address_bits,
        "streamed": int(hardware.weight_stream > 0),
        "odd": 1,
        **({"sparse": 1, "s_first": hardware.skips.address_bits} if hardware.skips else {}),
        **(_plane_fields(hardware) if hardware.plane_pairs else {}),
        # drain and post-processing
        "steps": n,
        "rows": n,
        "emissions": n,
        "emissions_used": n,
        "word_emissions": n,
        "wide": int(hardware.extra is not None),
        "t_first": hardware.threshold_address_bits,
        **({} if hardware.line else {"code_base": hardware.levels}),
        "format": max(1, (max(len(hardware.code_bits), len(hardware.pooled)) - 1).bit_length()),
        # output
        "o_first": a,
        "o_row": a,
        "o_skip": a if hardware.slices else 0,
        "o_word": hardware.output_planes.bit_length(),
        "o_bank": hardware.bank_bits if hardware.parts else 0,
        **(_square_fields(hardware) if hardware.squares else {}),
        "o_height": n,
        "strip": n,
        "to_results": 1,
        "raw": 1,
        "argmax": 1,
        "result_code": (len(hardware.result_codes) - 1).bit_length() if hardware.result_codes else 0,
        "result_shift": (len(hardware.result_shifts) - 1).bit_length() if hardware.result_shifts else 0,
        "channels": n,
        **({"r_across": n, "r_line": n, "r_skip": n} if hardware.result_squares else {}),
        "last_output": int(hardware.outputs > 1),
        "release_input": 1,
        "last": 1,
    }
    return {name: width for name, width in fields.items() if width}


def _plane_fields(hardware: Hardware) -> Fields:
    """Fields of a layer record that only accelerators with bit planes have."""
    steps = pair_fields()
    return {
        "planes": hardware.count_bits,
        "p_first": max(1, (hardware.plane_pairs - 1).bit_length()),
        "a_word": steps["a_step"],
        "w_word": steps["w_step"],
        "w_block": hardware.weight_address_bits,
        "solid": 1,
    }


def _square_fields(hardware: Hardware) -> Fields:
    """Fields of a layer record where pixels become squares of pixels."""
    n, a = hardware.count_bits, hardware.address_bits
    return {"o_words": n, "o_side": n, "o_square": a, "o_strip": n, "o_strip_row": a, "o_strip_next": a}


def pair_fields() -> Fields:
    """Fields of a row of the table of bit planes; steps to the next row's planes are two's complement."""
    return {"double": 1, "a_step": 5, "w_step": 6}


def input_fields(hardware: Hardware) -> Fields:
    """Fields of the input record: how an image is laid into the banks. Counts are stored less one."""
    n, a = hardware.count_bits, hardware.address_bits
    fields = {
        "height": n,
        "width": n,
        "words": n,
        "word_codes": n,
        "tail_codes": n,
        "place": n,
        "tail_place": n,
        "packed": 1,
        "skip": n,
        "stride": n,
        "padded": 1,
        "pad": n,
        "zero": hardware.input_bits if hardware.input_zero else 0,
        "planar": int(hardware.input_planes and hardware.load_bits > 0),
        "a_first": a,
        "a_row": a,
    }
    return {name: width for name, width in fields.items() if width}


def record_words(fields: Fields) -> int:
    """Words of the program memory that one record takes."""
    return -(-sum(fields.values()) // RECORD_WORD_BITS)


def word_of(fields: Mapping[str, int], values: Mapping[str, int]) -> int:
    """Fields in an integer, from the low bits up; those that have no value are 0.

    Raises
    ------
    ValueError
        If a value does not fit its field.
    """
    word, at = 0, 0
    for name, width in fields.items():
        value = int(values.get(name, 0))
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name} must fit in {width} bits, not {value}")
        word |= value << at
        at += width
    return word


def pack(fields: Fields, values: Mapping[str, int]) -> list[int]:
    """Words of one record, low word first.

    Raises
    ------
    ValueError
        If a value is missing, unknown or does not fit its field.
    """
    if set(values) != set(fields):
        raise ValueError(f"record must have the fields {sorted(fields)}, not {sorted(values)}")
    bits, at = 0, 0
    for name, width in fields.items():
        value = int(values[name])
        low = -(1 << (width - 1)) if name in ("y_first", "x_first", "a_first") else 0
        if not low <= value < 1 << width:
            raise ValueError(f"{name} must fit in {width} bits, not {value}")
        bits |= (value & ((1 << width) - 1)) << at
        at += width
    mask = (1 << RECORD_WORD_BITS) - 1
    return [bits >> (RECORD_WORD_BITS * i) & mask for i in range(record_words(fields))]
