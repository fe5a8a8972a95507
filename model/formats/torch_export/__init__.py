"""A PT2E-quantized module as ``torch.export`` gives it, read as a graph of the kind that ONNX files hold.

torch itself is not imported: an exported program brings all that is asked of it, and a file of ``torch.export.save`` is
read as what it is, a zip archive of JSON and raw numbers. torch's own ``load`` would unpickle what the file holds.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from rowloom.model.encodings import Encoding
from rowloom.model.formats.builder import Imported
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.torch_export.archive import read_archive
from rowloom.model.formats.torch_export.program import Program, read_program
from rowloom.model.formats.torch_export.writer import graph_of

__all__ = ["from_bytes", "from_exported"]


def from_exported(
    program: Any,
    name: str = "network",
    *,
    input_scale: Fraction | None = None,
    input_encoding: Encoding | None = None,
) -> Imported:
    """Import an exported program whose module ``convert_pt2e`` made.

    Parameters
    ----------
    program : torch.export.ExportedProgram
    name : str
        Of the network.
    input_scale, input_encoding : optional
        Of an input that the program does not quantize.

    Raises
    ------
    RowloomError
        If it is no such program, or holds what is not supported.
    """
    return _imported(name, name, read_program(name, program), input_scale, input_encoding)


def from_bytes(
    subject: str,
    name: str,
    content: bytes,
    *,
    input_scale: Fraction | None = None,
    input_encoding: Encoding | None = None,
) -> Imported:
    """Import a file's content; errors name ``subject``, the network is called ``name``."""
    return _imported(subject, name, read_archive(subject, content), input_scale, input_encoding)


def _imported(
    subject: str, name: str, program: Program, input_scale: Fraction | None, input_encoding: Encoding | None
) -> Imported:
    graph = graph_of(subject, program)
    imported = Importer(subject, name, graph, input_scale=input_scale, input_encoding=input_encoding).run()
    about = {"format": "torch.export", "producer": program.producer}
    return replace(imported, network=replace(imported.network, about=about))
