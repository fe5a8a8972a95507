"""What nodes state: scales, zero points, widths, flags; checked."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.formats.onnx.axes import ROLES, Axes, Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.numbers.rounding import FLOATS
from rowloom.model.formats.onnx.reader import Node
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
    parameter = axes.parameter(scale.astype(np.float32))
    importer.bind_channels(axes, parameter)
    return parameter


def units_of(importer: Importer, parameter: Parameter) -> Numbers:
    """Return the scale of each channel, or of all, as exact numbers."""
    if not parameter.atoms:
        return (Fraction(float(parameter.values)),)
    if not importer.binding.bound and not set(parameter.atoms) <= set(ROLES):
        importer.bind_default(importer.binding.axes)
    values = parameter.channels(importer.names, parameter.values.size)
    return tuple(Fraction(float(each)) for each in values)


def integers_of(array: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Return the integers that an array holds."""
    flat = np.asarray(array, np.float64)
    if not flat.size or not np.isfinite(flat).all():
        raise Misfit(f"has a {what} that is no number")
    wrong = flat[(flat != np.rint(flat)) | (np.abs(flat) >= 1 << 31)]
    if wrong.size:
        raise Misfit(f"has a {what} of {wrong[0]}, where an integer is needed")
    return flat.astype(np.int64)


def whole_list(array: NDArray[Any], what: str) -> list[int]:
    """Return the integers that an array holds, if any, as a list."""
    return [int(each) for each in integers_of(array, what).reshape(-1)] if array.size else []


def integer_of(array: NDArray[Any], what: str) -> int:
    """Return the one integer that an array holds."""
    integers = integers_of(array, what)
    if (integers != integers.reshape(-1)[0]).any():
        raise Misfit(f"has a {what} that differs within the tensor")
    return int(integers.reshape(-1)[0])


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
