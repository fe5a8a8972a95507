"""The memories that hold a network: fixed ones, or such that the filler writes."""

from rowloom.hw.contents import memory_groups
from rowloom.hw.filler import Filler
from rowloom.hw.memories import Bank, Rom, SinglePort

__all__ = ["Stores"]


class Stores:
    """Makes the memories of an accelerator; where they are loaded, the filler too, and connects them to it.

    Parameters
    ----------
    m : Module
        Of the accelerator.
    hardware : Hardware
    images : Images
        What the memories hold at first.
    filled : bool
        Loadable memories have contents from the start.

    Attributes
    ----------
    filler : Filler or None
        Where program and weights are loaded.
    """

    def __init__(self, m, *, hardware, images, filled):
        self._m = m
        self._hardware = hardware
        self._filled = (filled and not hardware.single_port) or not hardware.load_bits
        self._groups = {}
        self.images = images
        self.filler = None
        if hardware.load_bits:
            m.submodules.filler = self.filler = Filler(hardware=hardware, running=self._filled)
            self._groups = {group.name: (g, group) for g, group in enumerate(memory_groups(hardware))}

    def contents(self, words):
        """What a memory of these words holds at first."""
        return words if self._filled else ()

    def memory(self, group, member, *, width, words, name=""):
        """Address and data of a memory that answers two cycles later; ``member`` is its place in its group."""
        m, name = self._m, name or f"{group}_{member}"
        if self.filler is None:
            logic = width * len(words) <= self._hardware.logic_bits
            m.submodules[name] = rom = Rom(width=width, init=words, logic=logic)
            return rom.address, rom.data
        depth = self._groups[group][1].depth
        if self._hardware.single_port and group.startswith("weights_"):
            m.submodules[name] = bank = SinglePort(width=width, depth=depth)
        else:
            m.submodules[name] = bank = Bank(width=width, depth=depth, init=self.contents(words))
        enable, address, data = self.port(group)
        m.d.comb += [
            bank.write_enable.eq(enable[member]),
            bank.write_address.eq(address),
            bank.write_data.eq(data),
        ]
        return bank.read_address, bank.read_data

    def thresholds(self, k, level, *, width, words):
        """Address and data of a threshold memory of post-processing lane k."""
        group, member = self._lane(k, level)
        return self.memory(group, member, width=width, words=words, name=f"thresholds_{k}")

    def lane_port(self, k, level):
        """Enable, address and data of the filler's writes into a threshold memory of post-processing lane k."""
        group, member = self._lane(k, level)
        enable, address, data = self.port(group)
        return enable[member], address, data

    def _lane(self, k, level):
        """Group of the threshold memories of lane k, and its place there."""
        extra = k - self._hardware.drains
        return (f"thresholds_{level}", k) if extra < 0 else (f"extra_{level}", extra)

    def port(self, group):
        """Enable of each memory of a group, address and data of the filler's writes."""
        assert self.filler is not None, "nothing is loaded"
        filler, number = self.filler, self._groups[group][0]
        return getattr(filler, f"enable_{number}"), filler.address, getattr(filler, f"data_{number}")
