"""Ends of a valid-ready stream in a cocotb bench: a source, a sink, and the pauses they make."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from cocotb.handle import LogicArrayObject, LogicObject
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge

__all__ = ["Beat", "Pauses", "StreamSink", "StreamSource"]


@dataclass(frozen=True, slots=True)
class Beat:
    """One transfer: the payload's bits, and the number of the clock edge that took it.

    A payload with unknown bits (``x``) is -1.
    """

    payload: int
    cycle: int


class Pauses:
    """Random lengths of pauses between beats: mostly none, some short, a few long.

    The long ones fill every queue between the two ends.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def draw(self) -> int:
        """Return the cycles to wait before the next beat; 3.6 on average."""
        kind = self._random.random()
        if kind < 0.6:
            return 0
        if kind < 0.98:
            return self._random.randint(1, 8)
        return self._random.randint(32, 160)


class StreamSource:
    """Sends beats: ``valid`` never waits for ``ready``, and a payload stays until it was taken.

    It wakes on a clock edge only while beats move; while the receiver is not ready it sleeps until
    ``ready`` rises.

    Parameters
    ----------
    clk, valid, ready, payload : handle
        Signals of the bench.
    pauses : Pauses, optional
        Default: beats follow each other without a pause.
    """

    def __init__(
        self,
        clk: LogicObject,
        valid: LogicObject,
        ready: LogicObject,
        payload: LogicArrayObject,
        *,
        pauses: Pauses | None = None,
    ) -> None:
        self.clk, self.valid, self.ready, self.payload = clk, valid, ready, payload
        self.pauses = pauses
        self.sent = 0

    async def send(self, beats: Iterable[int], interval: int = 1) -> None:
        """Send ``beats`` one after the other, ``interval`` cycles apart; ``sent`` counts what was taken."""
        clock, ready = RisingEdge(self.clk), RisingEdge(self.ready)
        for payload in beats:
            for _ in range(interval - 1):
                self.valid.value = 0
                await clock
            if self.pauses is not None and (pause := self.pauses.draw()):
                self.valid.value = 0
                for _ in range(pause):
                    await clock
            self.payload.value = payload
            self.valid.value = 1
            await clock
            while self.ready.value != 1:
                await ready
                await clock
            self.sent += 1
        self.valid.value = 0


class StreamSink:
    """Takes beats, and watches that the sender keeps the rules of a stream.

    It wakes on a clock edge only while beats move or while it pauses; otherwise it sleeps until
    ``valid`` rises.

    Parameters
    ----------
    clk, valid, ready, payload : handle
        Signals of the bench.
    period : int
        Steps of simulated time in a clock cycle.
    pauses : Pauses, optional
        Default: always ready.
    """

    def __init__(
        self,
        clk: LogicObject,
        valid: LogicObject,
        ready: LogicObject,
        payload: LogicArrayObject,
        *,
        period: int,
        pauses: Pauses | None = None,
    ) -> None:
        self.clk, self.valid, self.ready, self.payload = clk, valid, ready, payload
        self.period = period
        self.pauses = pauses
        self.violations: list[str] = []

    async def receive(self, count: int) -> list[Beat]:
        """Take ``count`` beats, then be not ready."""
        clock, valid = RisingEdge(self.clk), RisingEdge(self.valid)
        taken = []
        for _ in range(count):
            offered = None
            if self.pauses is not None and (pause := self.pauses.draw()):
                self.ready.value = 0
                for _ in range(pause):
                    await clock
                    offered = self._watch(offered)
            self.ready.value = 1
            await clock
            self._watch(offered)
            while self.valid.value != 1:
                await valid
                await clock
            payload = self.payload.value
            taken.append(Beat(int(payload) if payload.is_resolvable else -1, self._cycle()))
        self.ready.value = 0
        return taken

    def _watch(self, offered: str | None) -> str | None:
        """Return the payload on offer; what was on offer a cycle ago and not taken must be still."""
        now = str(self.payload.value) if self.valid.value == 1 else None
        if offered is not None and now != offered:
            what = "valid fell" if now is None else f"the payload changed from {offered} to {now}"
            self.violations.append(f"cycle {self._cycle()}: {what} before the beat was taken")
        return now

    def _cycle(self) -> int:
        return get_sim_time("step") // self.period
