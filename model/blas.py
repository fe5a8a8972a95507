"""One BLAS thread at a time, for work that already runs on every core."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_LOADED = Path("/proc/self/maps")
_PREFIXES_AND_SUFFIXES = (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", ""))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy's matrix products use one thread each inside of the context.

    OpenBLAS threads wait for each other by spinning: beside threads of our own, or other programs, that is many
    times slower than one thread. Where numpy uses another BLAS, or on another system than Linux, nothing changes.
    """
    found = _openblas()
    if found is None:
        yield
        return
    get, set_ = found
    before = get()
    set_(1)
    try:
        yield
    finally:
        set_(before)


@cache
def _openblas() -> tuple[Any, Any] | None:
    """Return the functions that get and set the number of threads of the OpenBLAS in this process."""
    try:
        maps = _LOADED.read_text()
    except OSError:
        return None
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if "openblas" in line.lower()}
    for path in sorted(paths):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for prefix, suffix in _PREFIXES_AND_SUFFIXES:
            get = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
            set_ = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
            if get is not None and set_ is not None:
                return get, set_
    return None
