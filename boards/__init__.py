"""Boards: does it fit and run. The boards that are known, by name."""

from rowloom.boards.board import Board
from rowloom.boards.icebreaker import ICEBREAKER
from rowloom.boards.ulx3s import ULX3S_85F
from rowloom.model.errors import RowloomError

BOARDS: dict[str, Board] = {board.name: board for board in (ULX3S_85F, ICEBREAKER)}


def get(name: str) -> Board:
    """Return the board of that name.

    Raises
    ------
    RowloomError
        If no board has that name.
    """
    if name not in BOARDS:
        raise RowloomError(f"board {name!r}", "unknown board", f"known: {', '.join(BOARDS)}")
    return BOARDS[name]


__all__ = ["BOARDS", "Board", "get"]
