"""Memories: one write port, one registered read port."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Bank", "Rom", "SinglePort"]


class Rom(wiring.Component):
    """Initialised memory that is read every cycle.

    Latency
    -------
    Two cycles from ``address`` to ``data``: the memory's own register, and one behind it.

    Parameters
    ----------
    width : int
        Bits of a word.
    init : sequence of int
        Contents, at least one word.
    logic : bool
        Build it from look-up tables instead of block RAM.
    """

    address: Signal
    data: Signal

    def __init__(self, *, width, init, logic=False):
        self.width = width
        self.init = list(init)
        self.logic = logic
        super().__init__({"address": In(max(1, (len(self.init) - 1).bit_length())), "data": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = store = memory.Memory(
            shape=unsigned(self.width),
            depth=len(self.init),
            init=self.init,
            attrs={"rom_style": "logic" if self.logic else "block"},
        )
        port = store.read_port(domain="sync")
        m.d.comb += port.addr.eq(self.address)
        m.d.sync += self.data.eq(port.data)
        return m


class Bank(wiring.Component):
    """An activation bank, or another memory that is written.

    Latency
    -------
    Two cycles from ``read_address`` to ``read_data``, as :class:`Rom`. A word written in a cycle is
    read from the next on.

    Parameters
    ----------
    width, depth : int
        Bits of a word, words.
    init : sequence of int
        Contents of the first words; those of the others are 0.
    """

    read_address: Signal
    read_data: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal

    def __init__(self, *, width, depth, init=()):
        self.width = width
        self.depth = depth
        self.init = list(init)
        bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "read_address": In(bits),
                "read_data": Out(width),
                "write_enable": In(1),
                "write_address": In(bits),
                "write_data": In(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=unsigned(self.width), depth=self.depth, init=self.init)
        write = store.write_port(domain="sync")
        read = store.read_port(domain="sync")
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            write.en.eq(self.write_enable),
            read.addr.eq(self.read_address),
        ]
        m.d.sync += self.read_data.eq(read.data)
        return m


class SinglePort(Bank):
    """A memory with one port: a word is read or written in a cycle, not both, and it holds nothing at first.

    A platform with a method ``get_single_port(memory)`` may give gates of its own with the same members and latency,
    or None to leave it to these, which are for any device.

    Latency
    -------
    As :class:`Bank`; what is read in a cycle of writing is not defined.
    """

    def __init__(self, *, width, depth):
        super().__init__(width=width, depth=depth)

    def elaborate(self, platform):
        """Return the platform's gates, or those of a bank."""
        if hasattr(platform, "get_single_port"):
            made = platform.get_single_port(self)
            if made is not None:
                return made
        return super().elaborate(platform)
