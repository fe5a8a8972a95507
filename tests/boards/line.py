"""A serial line to a simulated board, used from ordinary code as if it were a port."""

from amaranth.sim import Simulator


class SimulatedLine:
    """Runs a component with pins ``rx`` and ``tx`` in Amaranth's simulator and stands for the port that it hangs on.

    Simulated time runs only while somebody reads, so that a test is exact and repeatable: ``read`` steps the
    simulator until the bytes are there or ``patience`` cycles have passed.
    """

    def __init__(self, component, *, divider, patience):
        self._to_board: list[tuple[int, int]] = []  # (what to put on the line, for how many cycles)
        self._received = bytearray()
        self._divider = divider
        self._patience = patience
        self._hold = 0  # cycles that the present level to the board still lasts
        self._bit = 0  # of the byte from the board: 0 none, 1 to 8 data, 9 stop
        self._wait = 0  # cycles until it is sampled
        self._byte = 0
        self._simulator = Simulator(component)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._run(component.rx, component.tx), background=True)

    def _run(self, rx, tx):
        async def run(ctx):
            ctx.set(rx, 1)
            while True:  # plain ticks only: `repeat` and `until` leave generators open when a test ends first
                await ctx.tick()
                self._listen(ctx.get(tx))
                if self._hold:
                    self._hold -= 1
                if not self._hold:
                    level, self._hold = self._to_board.pop(0) if self._to_board else (1, 0)
                    ctx.set(rx, level)

        return run

    def _listen(self, level):
        if self._bit == 0:
            if level == 0:
                self._bit, self._wait, self._byte = 1, self._divider + self._divider // 2, 0
        elif self._wait > 1:
            self._wait -= 1
        elif self._bit <= 8:
            self._byte |= level << (self._bit - 1)
            self._bit, self._wait = self._bit + 1, self._divider
        else:
            assert level == 1, "stop bit is low"
            self._received.append(self._byte)
            self._bit = 0

    def write(self, data):
        for byte in data:
            self._to_board += [(bit, self._divider) for bit in (0, *[(byte >> i) & 1 for i in range(8)], 1)]

    def pause(self, cycles):
        """Keep the line idle for so many cycles."""
        self._to_board.append((1, cycles))

    def break_byte(self):
        """Send a byte whose stop bit is low."""
        self._to_board += [(0, 10 * self._divider), (1, 2 * self._divider)]

    def read(self, size):
        for _ in range(self._patience):
            if len(self._received) >= size:
                break
            self._simulator.advance()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def close(self):
        pass
