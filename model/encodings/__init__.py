"""Encodings: what a stored code means as an integer."""

from rowloom.model.encodings.base import MAX_BITS, Encoding
from rowloom.model.encodings.binary import Binary
from rowloom.model.encodings.logarithmic import PowerOfTwo
from rowloom.model.encodings.symmetric import Quinary, Ternary
from rowloom.model.encodings.table import Codebook, DoReFa
from rowloom.model.encodings.uniform import Uniform

__all__ = [
    "MAX_BITS",
    "Binary",
    "Codebook",
    "DoReFa",
    "Encoding",
    "PowerOfTwo",
    "Quinary",
    "Ternary",
    "Uniform",
]
