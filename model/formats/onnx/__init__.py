"""QONNX files, and ONNX files with QuantizeLinear and DequantizeLinear, as their executors compute them."""

from fractions import Fraction

from rowloom.model.encodings import Encoding
from rowloom.model.formats.builder import Imported
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.qoperators import expanded
from rowloom.model.formats.onnx.reader import read

__all__ = ["from_bytes"]


def from_bytes(
    subject: str,
    name: str,
    content: bytes,
    *,
    input_scale: Fraction | None = None,
    input_encoding: Encoding | None = None,
) -> Imported:
    """Import a file's content; errors name ``subject``, the network is called ``name``."""
    graph = expanded(subject, read(subject, content))
    return Importer(subject, name, graph, input_scale=input_scale, input_encoding=input_encoding).run()
