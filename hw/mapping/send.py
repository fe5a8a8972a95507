"""What leaves from memory."""

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Send"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sends a map that lies in memory to the output, on the vector path: its codes times one.

    It stands among the layers of a schedule, but is no layer of the network.
    """

    op: ClassVar[str] = "send"

    name: str
    inputs: tuple[str, ...]
    output: str
    bias: None = None
    post: None = None
