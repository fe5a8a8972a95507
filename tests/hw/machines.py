"""Parameters of small accelerators, and records of their programs."""

from rowloom.hw.engine_parameters import ArrayParameters
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import RECORD_WORD_BITS, input_fields, layer_fields, record_words
from rowloom.model.encodings import Binary

SIGNED = ("y_first", "x_first")


def array_parameters(**changed):
    """Six rows of xnor units with five lanes."""
    given = {
        "unit": "xnor", "rows": 6, "lanes": 5, "stacked": False, "weights": Binary(), "activations": Binary(),
        "weight_depth": 16, "sum_bits": 8,
    }  # fmt: skip
    return ArrayParameters(**given | changed)


def hardware(**changed):
    """An accelerator of three columns, four banks and two drain chains."""
    given = {
        "cols": 3, "group": 2, "drains": 2, "arrays": (array_parameters(),), "vectors": (), "banks": 4,
        "bank_depth": 64,
        "word_bits": 8, "write_step": 1, "lanes": 8, "code_bits": (1,), "pooled": ((1, False),), "levels": 1,
        "line": None, "result_codes": ((1, False),), "sum_bits": 12, "threshold_depth": 16, "result_cols": 3,
        "result_lanes": 2, "result_depth": 64, "count_bits": 8, "input_bits": 4, "input_lanes": 2, "layers": 3,
        "logic_bits": 0, "outputs": 1, "pad_bits": 0, "slices": False, "input_zero": False,
    }  # fmt: skip
    return Hardware(**given | changed)


def unpack(fields, words):
    """Values of a record's fields; those that may be negative as they were packed."""
    bits = sum(word << (RECORD_WORD_BITS * i) for i, word in enumerate(words))
    values = {}
    for name, width in fields.items():
        value = bits & ((1 << width) - 1)
        values[name] = value - (1 << width) if name in SIGNED and value >> (width - 1) else value
        bits >>= width
    return values


def records(design):
    """The input's record and those of the layers, as dicts."""
    program = list(design.images.program)
    fields = [input_fields(design.hardware), *[layer_fields(design.hardware)] * design.hardware.layers]
    values = []
    for each in fields:
        count = record_words(each)
        values.append(unpack(each, program[:count]))
        program = program[count:]
    assert not program
    return values[0], values[1:]


def raw(fields, values):
    """A record as a struct's initial value: all fields without sign."""
    return {name: values.get(name, 0) & ((1 << width) - 1) for name, width in fields.items()}
