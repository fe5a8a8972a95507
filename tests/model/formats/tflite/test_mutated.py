"""Well-formed files whose fields are wrong: refused in one line, or imported and run; nothing else."""

from collections import Counter

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

import rowloom
from rowloom.model.formats.tflite import from_bytes
from rowloom.model.host import host_run
from tests.model.formats.tflite.random_models import random_model
from tests.model.formats.tflite.test_operators import images

SEEDS = range(400)

INTEGERS = (*range(-1, 10), 17, 53, 127, 128, -128, 255, 1 << 15, 1 << 20, (1 << 31) - 1, -(1 << 31))
FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e-45, 1e-38, 1e38, 0.5, 2.0, 3e9)


def fields_of(record):
    """Return every field of a record and of those in it."""
    found = []
    for name, value in vars(record).items():
        found.append((record, name))
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "__dict__"):
                found += fields_of(each)
    return found


def changed(value, rng):
    """Return another number, list, or nothing."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | np.integer):
        return int(rng.choice(INTEGERS)) if rng.integers(2) else int(value) + int(rng.integers(-2, 3))
    if isinstance(value, float | np.floating):
        return float(rng.choice(FLOATS)) if rng.integers(2) else float(value) * float(rng.choice([0.5, 2, 1.1]))
    if not isinstance(value, list | np.ndarray) or not len(value):
        return None
    entries = list(value)
    place, other = rng.integers(len(entries), size=2)
    how = rng.integers(4)
    if how == 0:
        del entries[place]
    elif how == 1:
        entries.insert(place, entries[other])
    elif how == 2:
        entries[place], entries[other] = entries[other], entries[place]
    elif not hasattr(entries[place], "__dict__"):
        entries[place] = changed(entries[place], rng)
    if not isinstance(value, np.ndarray):
        return entries
    if value.dtype == np.uint8:
        entries = [int(entry) & 255 for entry in entries]
    return np.array(entries, dtype=value.dtype)


def mutated(content, rng):
    """Return a file with a few fields changed; None if it cannot be written."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for _ in range(rng.integers(1, 4)):
        fields = [(record, name) for record, name in fields_of(model) if getattr(record, name) is not None]
        record, name = fields[rng.integers(len(fields))]
        setattr(record, name, changed(getattr(record, name), rng))
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except (TypeError, AttributeError, ValueError, OverflowError, RuntimeError):
        return None
    return bytes(builder.Output())


def outcome(content, x):
    """Return what becomes of a file: imported, or the line that refuses it."""
    try:
        net = from_bytes("m.tflite", "m", content).network
    except rowloom.RowloomError as error:
        return str(error)
    try:
        host_run(net, x)
    except rowloom.RowloomError as error:
        return "imported with another input" if str(error).startswith("images: shape is") else str(error)
    return "imported"


def test_wrong_fields():
    told = Counter()
    for seed in SEEDS:
        content, _ = random_model(seed // 4)
        wrong = mutated(content, np.random.default_rng(seed))
        if wrong is not None:
            told[outcome(wrong, images(content, 2))] += 1
    imported = {line for line in told if line.startswith("imported")}
    assert all(line.startswith("m.tflite") and "\n" not in line for line in told if line not in imported)
    assert told["imported"] > len(SEEDS) // 8
    assert len(told) > 20
