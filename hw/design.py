"""A compiled accelerator: what the gates are, what the memories hold, what it will take."""

from collections.abc import Mapping
from dataclasses import dataclass

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cost import Cost, estimate
from rowloom.hw.mapping.cycles import HANDOVER
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.parameters import Hardware
from rowloom.model.network import Network

__all__ = ["Design", "Images", "LayerPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """A layer as the accelerator runs it.

    Parameters
    ----------
    name, op, tensor : str
        Name and operator of the layer; name of the tensor that it writes.
    unit : str
        Unit or path that runs it.
    fold : Fold
    macs : int
        Multiply-accumulates an image.
    cycles : int
        Exact cycles an image.
    peak : int
        Multiply-accumulates a cycle of the array that runs it, 0 for a path without.
    to_results : bool
        The layer's values leave on the output stream instead of staying in the banks.
    """

    name: str
    op: str
    tensor: str
    unit: str
    fold: Fold
    macs: int
    cycles: int
    peak: int
    to_results: bool

    @property
    def utilization(self) -> float:
        """Share of the running array's peak that the layer uses."""
        return self.macs / (self.cycles * self.peak) if self.peak else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Contents of the memories, words as integers.

    ``program`` words; ``weights[array][row]`` words; ``thresholds[lane]`` words.
    """

    program: tuple[int, ...]
    weights: tuple[tuple[tuple[int, ...], ...], ...]
    thresholds: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A network compiled for an array.

    Parameters
    ----------
    network : Network
    config : ArrayConfig
        What was asked for.
    hardware : Hardware
        What will be built.
    images : Images
        What it is filled with.
    layers : tuple of LayerPlan
        In the order in which they run.
    layouts : mapping of str to Layout
        Of every tensor that lies in the banks.
    """

    network: Network
    config: ArrayConfig
    hardware: Hardware
    images: Images
    layers: tuple[LayerPlan, ...]
    layouts: Mapping[str, Layout]

    def layout(self, tensor: str) -> Layout:
        """Where a tensor lies in the banks; KeyError if it never does."""
        return self.layouts[tensor]

    @property
    def cycles(self) -> int:
        """Cycles from one image to the next, when neither stream makes the accelerator wait."""
        return sum(layer.cycles for layer in self.layers) + HANDOVER

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Multiply-accumulates against what the largest array could do in that time."""
        return self.macs / (self.cycles * self.config.peak)

    @property
    def cost(self) -> Cost:
        """Estimated cells on ECP5."""
        return estimate(self.hardware)

    @property
    def input_bits(self) -> int:
        return self.hardware.input_bits

    @property
    def output_bits(self) -> int:
        return self.hardware.sum_bits

    @property
    def input_beats(self) -> int:
        """Codes of an image."""
        height, width, channels = self.network.tensor(self.network.input).shape
        return height * width * channels

    @property
    def output_beats(self) -> int:
        """Values that answer an image."""
        height, width, channels = self.network.tensor(self.network.outputs[0]).shape
        return height * width * channels
