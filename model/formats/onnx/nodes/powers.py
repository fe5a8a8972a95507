"""FloatQuant without mantissa bits: powers of two."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import PowerOfTwo
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.nodes.stated import flag_of, integer_of, needed
from rowloom.model.formats.onnx.reader import Node


def powers_of(importer: Importer, node: Node) -> tuple[NDArray[Any], int, Fraction, int, PowerOfTwo]:
    """Return scale, least exponent, greatest value, shift to integers, and the encoding of the integers."""
    scale, exponent, mantissa, bias, most = (needed(importer, node, place) for place in (1, 2, 3, 4, 5))
    if integer_of(mantissa, "mantissa bits"):
        raise Misfit(f"has {integer_of(mantissa, 'mantissa bits')} mantissa bits, where 0 is needed")
    if not flag_of(node, "saturation", 1):
        raise Misfit("does not saturate")
    if not most.size or not np.isfinite(most).all():
        raise Misfit("has no finite greatest value")
    width, shift = integer_of(exponent, "exponent bits"), integer_of(bias, "exponent bias")
    if not 1 <= width <= 6:
        raise Misfit(f"has {width} exponent bits, where 1 to 6 are needed")
    least = 1 - shift
    greatest = min(Fraction(2) ** ((1 << width) - 1 - shift), Fraction(float(np.asarray(most).reshape(-1)[0])))
    top = least
    while Fraction(2) ** (top + 1) <= greatest:
        top += 1
    if Fraction(2) ** top != greatest:
        raise Misfit(f"saturates at {float(greatest):g}, which is no power of two")
    steps = top - least
    bits = (steps + 1).bit_length() + 1
    if steps > 40 or bits > 6:
        raise Misfit(f"spans {steps + 1} powers of two, where 31 is the most")
    return scale, least, greatest, -least, PowerOfTwo(bits=bits, signed=True, e_min=0, e_max=steps)
