"""What verbs print: tables for a person, one JSON object for a program."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from rowloom.cli.files import check_target, written_beside
from rowloom.model.errors import RowloomError

if TYPE_CHECKING:
    from rich.table import Table


class Output:
    """Where a verb's results go.

    Tables go to standard output, or to standard error when ``json`` is ``-`` and standard output belongs to the
    object alone.

    Parameters
    ----------
    json : str or None
        File for the object; ``-`` for standard output.

    Raises
    ------
    RowloomError
        If the file's folder is not there.
    """

    def __init__(self, json: str | None) -> None:
        self._json = json if json in (None, "-") else check_target(json)
        self._human = sys.stderr if json == "-" else sys.stdout

    def line(self, text: str) -> None:
        """Print a line for a person."""
        click.echo(text, file=self._human)

    def table(self, table: "Table") -> None:
        """Print a table: drawn on a terminal, plain columns elsewhere."""
        from rich.console import Console

        if self._human.isatty():
            Console(file=self._human).print(table)
            return
        table.box = None
        table.title = None
        Console(file=self._human, width=1000, color_system=None, highlight=False).print(table)

    def rows(self, titles: Sequence[str], rows: Sequence[Sequence[object]], *, total: Sequence[object] = ()) -> None:
        """Print a table of values, numbers to the right, with a last row of totals."""
        from rich.table import Table

        table = Table(show_footer=bool(total))
        for index, title in enumerate(titles):
            numbers = all(isinstance(row[index], int | float | None) for row in rows)
            footer = _text(total[index]) if total else ""
            table.add_column(title, footer=footer, justify="right" if numbers else "left", no_wrap=True)
        for row in rows:
            table.add_row(*map(_text, row))
        self.table(table)

    def json(self, content: Mapping[str, Any]) -> None:
        """Write the object, if it was asked for."""
        if self._json is None:
            return
        text = json.dumps(content, indent=2, default=_plain) + "\n"
        if isinstance(self._json, Path):
            with written_beside(self._json) as beside:
                beside.write_text(text)
        else:
            click.echo(text, nl=False)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(value: object) -> object:
    """Return what JSON can hold for numpy's numbers and for paths."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def load_images(path: str) -> "np.ndarray[Any, Any]":
    """Read an ``.npy`` file.

    Raises
    ------
    RowloomError
        If it is not there or is no such file.
    """
    try:
        with open(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise RowloomError(path, "no such file", "need a .npy file of images") from None
    except (ValueError, EOFError, OSError) as error:
        raise RowloomError(path, "cannot be read as an array", "need a .npy file of numbers") from error
    if not isinstance(array, np.ndarray):
        raise RowloomError(path, "holds several arrays", "need a .npy file of one")
    return array
