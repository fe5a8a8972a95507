"""Files that are whole or not there: written beside their place, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rowloom.model.errors import RowloomError


def check_target(path: str | Path) -> Path:
    """Return where a file is to be written, before any long work is begun for it.

    Raises
    ------
    RowloomError
        If its folder is not there, or it is a folder.
    """
    target = Path(path)
    if target.is_dir():
        raise RowloomError(str(path), "is a folder", "name a file")
    if not target.parent.is_dir():
        raise RowloomError(str(path), f"there is no folder {target.parent}", "make it first")
    return target


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Give a file name beside ``target``; rename that file to ``target`` if all goes well, else remove it."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        beside.chmod(0o666 & ~_umask())
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
