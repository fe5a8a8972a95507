"""A compiled accelerator: what the gates are, what the memories hold, what it will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any

from numpy.typing import NDArray

from rowloom.hw.built import Built
from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cost import Cost, estimate
from rowloom.hw.mapping.cycles import handover_cycles, load_cycles
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.mapping.losses import Losses
from rowloom.hw.mapping.place import Buffer
from rowloom.hw.mapping.slices import Part
from rowloom.hw.mapping.timeline import Timeline
from rowloom.hw.parameters import Hardware
from rowloom.model.network import Network

__all__ = ["Design", "Images", "LayerPlan", "WeightSection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """A layer as the accelerator runs it.

    Parameters
    ----------
    name, op : str
        Name and operator of the layer.
    sources, tensor : tuple of str, str
        Tensors that it reads, and the one that it writes.
    unit : str
        Unit or path that runs it.
    fold : Fold
    macs : int
        Multiply-accumulates an image.
    cycles : int
        Exact cycles an image, when image follows image.
    stall : int
        Of these, cycles in which the layer waits for its weights.
    planes : int
        Products of single bits that stand for a multiply-accumulate where the layer runs as bit planes, else 1.
    peak : int
        Multiply-accumulates a cycle of the array that runs it, 0 for a path without.
    losses : Losses or None
        What keeps the layer from full utilization; None for layers and paths that do not multiply.
    to_results : bool
        The layer's values leave on the output stream instead of staying in the banks.
    """

    name: str
    op: str
    sources: tuple[str, ...]
    tensor: str
    unit: str
    fold: Fold
    macs: int
    cycles: int
    peak: int
    planes: int
    losses: Losses | None
    to_results: bool
    stall: int = 0

    @property
    def skipped(self) -> int:
        """Words of weights an image that are left out because they are zero."""
        return self.fold.strips * self.fold.pixels * self.fold.skipped

    @property
    def utilization(self) -> float:
        """Share of the running array's peak that the layer uses."""
        return self.planes * self.macs / (self.cycles * self.peak) if self.peak else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightSection:
    """Weights of a layer that come over the load port for every image.

    Parameters
    ----------
    engine : int
        Array or vector path whose memories they fill.
    address : int
        First word.
    lead : int
        Sections that may be there unused when this one begins.
    words : sequence of tuples of int
        Of each memory.
    """

    engine: int
    address: int
    lead: int
    words: Sequence[tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Contents of the memories, words as integers.

    ``program`` words; ``weights[array][row]`` words; ``thresholds[lane][level]`` words; ``pairs``, rows of the
    table of bit planes; ``skips``, entries of the table of words that are multiplied. ``stream``, what comes over
    the load port for every image, in this order.
    """

    program: tuple[int, ...]
    weights: tuple[Sequence[tuple[int, ...]], ...]
    thresholds: tuple[tuple[tuple[int, ...], ...], ...]
    pairs: tuple[int, ...] = ()
    skips: tuple[int, ...] = ()
    stream: tuple[WeightSection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """A network compiled for an array.

    Parameters
    ----------
    network : Network
    mapped : Network
        The network as it runs: with the layers that the mapping puts in, and equal in all that both compute.
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
    buffers : tuple of Buffer
        Memory that the tensors take, and for how long.
    parts : mapping of str to Part
        What those tensors are in the network that layers write in parts, by name.
    choice : str
        Which of several ways was taken to run layers of several bits, and why; empty where there was one way.
    timeline : Timeline, optional
        When layers run and their weights come, where any do.
    """

    network: Network
    mapped: Network
    config: ArrayConfig
    hardware: Hardware
    images: Images
    layers: tuple[LayerPlan, ...]
    layouts: Mapping[str, Layout]
    buffers: tuple[Buffer, ...]
    parts: Mapping[str, Part] = field(default_factory=dict)
    choice: str = ""
    timeline: Timeline | None = None

    def layer_cycles(self, images: int) -> list[tuple[int, ...]]:
        """Exact cycles of every layer in each of the images that follow a load."""
        if self.timeline is None:
            return [tuple(plan.cycles for plan in self.layers)] * images
        return [
            tuple(cycles + wait for cycles, wait in zip(self.timeline.cycles, waits, strict=True))
            for waits in self.timeline.stalls(images)
        ]

    @property
    def built(self) -> Built:
        """The accelerator without the network."""
        return Built(config=self.config, hardware=self.hardware)

    def layout(self, tensor: str) -> Layout:
        """Where a tensor lies in the banks; KeyError if it never does."""
        return self.layouts[tensor]

    def with_parts(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Codes [N, H, W, C] of the network's tensors, by name, and of the parts in which layers write them."""
        parts = {name: tensors[part.whole][..., part.first : part.stop] for name, part in self.parts.items()}
        return {**tensors, **parts}

    @property
    def cycles(self) -> int:
        """Cycles from one image to the next, when neither stream makes the accelerator wait."""
        load = load_cycles(self.layouts[self.network.input])
        return sum(layer.cycles for layer in self.layers) + handover_cycles(load, self._cycles_after_release)

    @property
    def _cycles_after_release(self) -> int:
        """Cycles of the layers that run after the input's memory is free again."""
        if not self.config.prefetch:
            return 0
        last = max(i for i, layer in enumerate(self.layers) if self.network.input in layer.sources)
        return sum(layer.cycles for layer in self.layers[last + 1 :])

    @property
    def live_words(self) -> tuple[int, ...]:
        """Words of every bank that hold something while each layer runs; ``hardware.bank_depth`` are there."""
        return tuple(
            sum(each.depth for each in self.buffers if each.first <= i <= each.last) for i in range(len(self.layers))
        )

    @property
    def hides_streams(self) -> bool:
        """Whether the next image surely comes, and the last one's results surely leave, while layers run.

        True only with room to spare: loading takes a cycle a code and a few a row, a value of the results
        at most two.
        """
        source = self.layout(self.network.input)
        ends = [layer.cycles for layer in self.layers]
        free = self._cycles_after_release
        sent = [layer for layer in self.layers if layer.to_results]
        if len(sent) > 1:  # one waits for the other
            return False
        fold = sent[0].fold
        values = fold.strip * fold.strips * fold.pixels * fold.blocks * fold.groups * self.hardware.code_lanes
        return 2 * (load_cycles(source) + source.shape[0]) <= free and 4 * values <= sum(ends[:-1])

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def utilization(self) -> float:
        """Multiply-accumulates, or products of single bits, against what the largest array could do in that time."""
        return sum(layer.planes * layer.macs for layer in self.layers) / (self.cycles * self.config.peak)

    @property
    def losses(self) -> dict[str, float]:
        """Shares of what the largest array could do that are lost; with the utilization they make one.

        Those of the layers' :class:`Losses`, and ``other``: time of layers and paths that multiply less at a time, or
        nothing.
        """
        all_of_it = self.cycles * self.config.peak
        found = {
            each.name: sum(
                getattr(layer.losses, each.name) * layer.cycles * layer.peak / all_of_it
                for layer in self.layers
                if layer.losses
            )
            for each in fields(Losses)
        }
        return found | {"other": 1 - self.utilization - sum(found.values())}

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
    def leaving(self) -> tuple[str, ...]:
        """Outputs of the network in the order in which they leave."""
        return tuple(layer.tensor for layer in self.layers if layer.to_results)

    @property
    def output_beats(self) -> int:
        """Values that answer an image."""
        return sum(prod(self.network.tensor(name).shape) for name in self.leaving)
