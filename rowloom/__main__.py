"""`rowloom` and `python -m rowloom`: the shell."""

import signal
from types import FrameType

from rowloom import cli


def main() -> None:
    """Run the shell; being ended by another program cleans up as an interruption from the keyboard does."""
    signal.signal(signal.SIGTERM, _interrupt)
    cli.main()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
