"""Nested loop counters with registered end flags."""

from amaranth import Module, Signal

__all__ = ["Loop"]


class Loop:
    """One loop: a down-counter whose end is known a cycle ahead.

    Parameters
    ----------
    m : Module
    name : str
    limit : Value
        Iterations less one; constant while the loop runs.

    Attributes
    ----------
    last : Signal
        This is the last iteration.
    second_last : Value
        This is the one before it.
    """

    def __init__(self, m: Module, name: str, limit):
        self._m = m
        self._limit = limit
        self._left = Signal(limit.shape(), name=f"{name}_left", reset_less=True)
        self.last = Signal(name=f"{name}_last", reset_less=True)

    @property
    def second_last(self):
        return self._left == 1

    def restart(self):
        """Statements for the first iteration."""
        return [self._left.eq(self._limit), self.last.eq(self._limit == 0)]

    def advance(self):
        """Statements for the next iteration; after the last one, the first."""
        m = self._m
        with m.If(self.last):
            m.d.sync += self.restart()
        with m.Else():
            m.d.sync += [self._left.eq(self._left - 1), self.last.eq(self._left == 1)]
