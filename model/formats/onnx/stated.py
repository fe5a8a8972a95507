"""What nodes state: scales, zero points, widths, flags; checked."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import Axes, Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.rounding import FLOATS
from rowloom.model.formats.onnx.signal import Numbers

#: Most bits of an integer.
MOST_BITS = 16

#: Least scale; the greatest is its reciprocal.
LEAST_SCALE = 2.0**-60


def needed(importer: Importer, node: Node, place: int) -> NDArray[Any]:
    """Return a constant input; Misfit if there is none."""
    array = importer.array(node, place)
    if array is None:
        raise Misfit(f"has no input {place}")
    return array


def four_of(inputs: list[Constant | None]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the four constant inputs of a Quant node."""
    arrays = [each.data for each in inputs if each is not None]
    if len(arrays) != 4:
        raise Misfit(f"has {len(arrays)} inputs, where 4 are needed")
    return arrays[0].astype(np.float32), arrays[1].astype(np.float32), arrays[2], arrays[3]


def check_scale(scale: NDArray[Any]) -> None:
    """Raise Misfit unless every scale is a positive number whose products float32 still holds."""
    if not scale.size or not np.isfinite(scale).all() or not (scale > 0).all():
        raise Misfit("has a scale that is not positive")
    if not ((scale > LEAST_SCALE) & (scale < 1 / LEAST_SCALE)).all():
        raise Misfit(f"has a scale of {float(scale.max()):g}, where {LEAST_SCALE:g} to {1 / LEAST_SCALE:g} is needed")


def scale_of(importer: Importer, node: Node, axes: Axes, scale: NDArray[Any]) -> Parameter:
    """Return a scale as a parameter along the axes of a signal."""
    check_scale(scale)
    return axes.parameter(scale.astype(np.float32))


def units_of(importer: Importer, parameter: Parameter) -> Numbers:
    """Return the scale of each channel, or of all, as exact numbers."""
    if not parameter.atoms:
        return (Fraction(float(parameter.values)),)
    values = parameter.channels(importer.names, parameter.values.size)
    return tuple(Fraction(float(each)) for each in values)


def integer_of(array: NDArray[Any], what: str) -> int:
    """Return the one integer that an array holds."""
    flat = np.asarray(array).reshape(-1)
    if not flat.size or not np.isfinite(flat.astype(np.float64)).all() or np.any(flat != flat[0]):
        raise Misfit(f"has a {what} that differs within the tensor")
    if float(flat[0]) != int(flat[0]) or abs(int(flat[0])) >= 1 << 31:
        raise Misfit(f"has a {what} of {flat[0]}, where an integer is needed")
    return int(flat[0])


def width_of(bits: NDArray[Any]) -> int:
    """Return a bit width."""
    width = integer_of(bits, "bit width")
    if not 1 <= width <= MOST_BITS:
        raise Misfit(f"has {width} bits, where 1 to {MOST_BITS} are needed")
    return width


def flag_of(node: Node, name: str, default: int) -> int:
    """Return an attribute that is 0 or 1."""
    value = node.attributes.get(name, default)
    if value not in (0, 1):
        raise Misfit(f"has {name} = {value!r}, where 0 or 1 is needed")
    return int(value)


def rounding_of(node: Node, default: str) -> str:
    """Return a rounding mode by its name in QONNX."""
    mode = str(node.attributes.get("rounding_mode", default)).upper()
    if mode not in FLOATS:
        raise Misfit(f"has rounding mode {mode!r}, where one of {', '.join(FLOATS)} is needed")
    return mode


def int_limits(bits: int, signed: int, narrow: int) -> tuple[int, int]:
    """Return the least and the greatest integer of a Quant node."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow
