"""The shell: one verb, one call of the Python function of that name."""

from rowloom.cli.main import main

__all__ = ["main"]
