"""TFLite int8 files, as the TFLite reference kernels compute them."""

from rowloom.model.formats.builder import Imported
from rowloom.model.formats.tflite.importer import Importer
from rowloom.model.formats.tflite.reader import IDENTIFIER, read

__all__ = ["IDENTIFIER", "from_bytes"]


def from_bytes(subject: str, name: str, content: bytes) -> Imported:
    """Import a file's content; errors name ``subject``, the network is called ``name``."""
    return Importer(subject, name, read(subject, content)).run()
