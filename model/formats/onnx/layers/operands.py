"""What a linear operator takes: codes of the network, and what they stand for."""

from fractions import Fraction

import numpy as np

from rowloom.model.bisection import MOST
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.deferred import every_code
from rowloom.model.formats.onnx.layers.sums import stored_sums
from rowloom.model.formats.onnx.layers.weights import MOST_BITS, common_unit
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.signal import Numbers, Signal, shortest
from rowloom.model.layers import Add
from rowloom.model.post import Thresholds

MOST_VALUES = 1 << 17
"""For which an activation without a quantizer is tabulated."""


def operand(importer: Importer, signal: Signal, most: int = MOST_BITS) -> tuple[str, Numbers, Numbers]:
    """Return a tensor of the network with unit and offset, for a signal that a linear operator takes.

    Functions that are not affine become a table of codes.

    Raises
    ------
    Misfit
        If no quantizer ended the sums before, and they are wider than ``most`` bits.
    """
    importer.quantized(signal)
    signal = stored_sums(importer, signal, most)
    importer.map_shape(signal)
    signal = importer.refreshed(signal)
    carrier = importer.quantized(signal)
    affine = signal.affine(importer.names)
    tensor = importer.placed(carrier.tensor)
    if affine is not None:
        importer.builder.note(signal.nodes, None, "part of the scale") if signal.nodes else None
        return tensor, *affine
    return _tabled(importer, signal, tensor)


def _tabled(importer: Importer, signal: Signal, tensor: str) -> tuple[str, Numbers, Numbers]:
    """Append a table of codes for functions that are not affine, or thresholds where they differ by channel."""
    carrier = importer.quantized(signal)
    if not all(function.rational for function in signal.chain):
        raise Misfit("takes codes after a function whose values share no unit, where a quantizer is needed")
    encoding = importer.encoding(tensor)
    columns = signal.fractions(importer.names)
    counts = [len(carrier.unit), len(carrier.offset), *(len(each) for parts in columns for each in parts)]
    values = [int(value) for value in encoding.decode(every_code(encoding))]
    if len(values) * max(counts) > MOST_VALUES:
        shown = f"{len(values)} codes of {max(counts)} channels"
        raise Misfit(f"takes {shown} after an activation, where a quantizer is needed")
    units, rows = [], []
    for m in range(max(counts)):
        reals = _reals(signal, values, m, columns)
        units.append(common_unit(set(reals)) or Fraction(1))
        rows.append([int(real / units[-1]) for real in reals])
    if max(abs(integer) for row in rows for integer in row) >= 1 << MOST_BITS:
        raise Misfit("takes codes after an activation whose values share no unit, where a quantizer is needed")
    target = uniform_between(min(map(min, rows)), max(map(max, rows)))
    name = importer.layer_name("table")
    if len(rows) == 1:
        layer = Add(name=name, inputs=(tensor,), output=name, tables=(np.array(rows[0], np.int64),))
    else:
        order = np.argsort(values, kind="stable")
        ascending = np.array(values, np.int64)[order]
        results = np.array(rows, np.int64)[:, order]
        falling = results[:, 0] > results[:, -1]
        steps = np.diff(np.where(falling[:, None], -results, results), axis=1)
        if (steps < 0).any():
            raise Misfit("takes codes after an activation that neither rises nor falls")
        levels = target.code_max - target.code_min
        if levels * len(rows) > MOST:
            raise Misfit(f"needs {levels} thresholds for each of {len(rows)} channels, where {MOST} is the most in all")
        post = Thresholds.of_codes(ascending, results, target)
        layer = Add(name=name, inputs=(tensor,), output=name, tables=(np.array(values, np.int64),), post=post)
    importer.builder.add(layer, target, importer.scale_of(tuple(units)))
    importer.builder.note(signal.nodes, name, "a table of codes")
    return name, shortest(units), (Fraction(0),)


def _reals(signal: Signal, values: list[int], m: int, columns: list[tuple[list[Fraction], ...]]) -> list[Fraction]:
    """Return what a signal's chain makes of values of channel m, exactly: what is affine in it as one function."""
    carrier = signal.carrier
    assert carrier is not None
    a, b = carrier.unit[m % len(carrier.unit)], carrier.offset[m % len(carrier.offset)]
    reals = [Fraction(value) for value in values]
    for function, parameters in zip(signal.chain, columns, strict=True):
        own = tuple(each[m % len(each)] for each in parameters)
        both = function.affine(own)
        if both is not None:
            a, b = both[0] * a, both[0] * b + both[1]
            continue
        reals = [function.exact(a * real + b, own) for real in reals]
        a, b = Fraction(1), Fraction(0)
    return reals if a == 1 and not b else [a * real + b for real in reals]
