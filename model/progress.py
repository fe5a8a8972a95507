"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self


class Progress(Protocol):
    """What training tells about itself, as a context."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, done: int, total: int) -> None:
        """``done`` of ``total`` steps are over."""

    def line(self, text: str) -> None:
        """Something to read that stays."""


class Silent:
    """Tells nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, done: int, total: int) -> None:
        """Ignore."""

    def line(self, text: str) -> None:
        """Ignore."""


class Lines(Silent):
    """Plain lines on standard error, and how far it is twice a minute."""

    EVERY = 30.0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def step(self, done: int, total: int) -> None:
        """Print how far it is, if half a minute has passed."""
        now = time.monotonic()
        if now - self._last >= self.EVERY:
            self._last = now
            self.line(f"{done} of {total} steps")

    def line(self, text: str) -> None:
        """Print the text."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Bar(Silent):
    """A bar with the remaining time, lines above it."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._rich = RichProgress(*columns, console=Console(stderr=True))
        self._task = self._rich.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rich.stop()

    def step(self, done: int, total: int) -> None:
        """Move the bar."""
        self._rich.update(self._task, completed=done, total=total)

    def line(self, text: str) -> None:
        """Print the text above the bar."""
        self._rich.console.print(text, markup=False, highlight=False)


def progress_for(title: str) -> Progress:
    """Return a bar if standard error is a terminal, else plain lines."""
    return Bar(title) if sys.stderr.isatty() else Lines()
