"""Replays a trace into copies of the activation banks and compares every layer's tensor with golden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rowloom.sim.result import Mismatch
from rowloom.sim.trace import LayerDone, Trace

__all__ = ["Comparison", "Layout", "compare_layers", "compare_outputs"]


class Layout(Protocol):
    """Where a tensor lies in the activation banks: at ``depth`` addresses from ``base``, in every bank."""

    @property
    def base(self) -> int: ...

    @property
    def depth(self) -> int: ...

    def extract(self, banks: Sequence[Any]) -> NDArray[Any]:
        """Return the tensor's codes [H, W, C], given each bank's words."""


@dataclass(slots=True)
class Comparison:
    """Counts of one layer over all images.

    Parameters
    ----------
    compared, mismatches : int
        Values.
    cycles : list of int
        Measured, an image each.
    first : Mismatch, optional
    """

    compared: int = 0
    mismatches: int = 0
    cycles: list[int] = field(default_factory=list)
    first: Mismatch | None = None

    def add(self, layer: str, image: int, got: NDArray[np.int64], want: NDArray[np.int64]) -> None:
        """Compare two tensors [H, W, C] of one image."""
        self.compared += want.size
        if got.shape != want.shape:
            raise ValueError(f"{layer}: the layout gives a tensor of shape {got.shape}, golden one of {want.shape}")
        differ = np.argwhere(got != want)
        self.mismatches += len(differ)
        if self.first is None and len(differ):
            y, x, c = (int(i) for i in differ[0])
            self.first = Mismatch(
                layer=layer, image=image, y=y, x=x, c=c, got=int(got[y, x, c]), want=int(want[y, x, c])
            )


def compare_layers(
    trace: Trace,
    *,
    layers: Sequence[str],
    tensors: Sequence[str],
    layouts: Mapping[str, Layout],
    golden: Mapping[str, NDArray],
    source: str,
    banks: int,
    bank_depth: int,
) -> tuple[list[Comparison], list[str]]:
    """Compare every layer of every image that lies in the banks when its layer ends.

    Parameters
    ----------
    trace : Trace
    layers, tensors : sequence of str
        Name of each layer and of the tensor it writes, by the index that the accelerator gives. A tensor that several
        layers write in parts is compared when the last of them is done.
    layouts : mapping of str to Layout
        For each tensor that lies in the banks. A layer whose tensor is not here goes to the output
        stream: only its cycles are taken from the trace.
    golden : mapping of str to int64 [N, H, W, C]
        Codes that are right.
    source : str
        The input tensor, which may be written while any layer runs.
    banks, bank_depth : int

    Returns
    -------
    comparisons : list of Comparison
        One for each layer.
    problems : list of str
        Layers that ended too often or too seldom, unknown bits, and writes that belong neither to
        the layer that runs nor to the input.
    """
    memory = [np.zeros(bank_depth, dtype=trace.word.dtype) for _ in range(banks)]
    comparisons = [Comparison() for _ in layers]
    problems: list[str] = []
    images = len(next(iter(golden.values())))
    regions = {name: range(layout.base, layout.base + layout.depth) for name, layout in layouts.items()}
    for event in trace:
        known = event.layer < len(layers)
        allowed = [regions[name] for name in {source, tensors[event.layer] if known else source} if name in regions]
        problems += _replay(trace, event, memory, layers[event.layer] if known else str(event.layer), allowed)
        if not known:
            problems.append(f"cycle {event.cycle}: layer {event.layer} ended, but there are only {len(layers)}")
            continue
        comparison = comparisons[event.layer]
        image = len(comparison.cycles)
        comparison.cycles.append(event.cycles)
        if image >= images:
            continue
        layout = layouts.get(tensors[event.layer])
        if layout is not None and tensors[event.layer] not in tensors[event.layer + 1 :]:
            got = np.asarray(layout.extract(memory), dtype=np.int64)
            want = np.asarray(golden[tensors[event.layer]][image], dtype=np.int64)
            comparison.add(layers[event.layer], image, got, want)
    for name, comparison in zip(layers, comparisons, strict=True):
        if len(comparison.cycles) != images:
            problems.append(f"layer {name}: ended {len(comparison.cycles)} times in {images} images")
    return comparisons, problems


def compare_outputs(
    outputs: Sequence[Sequence[int]],
    golden: NDArray,
    *,
    layer: str,
    value_bits: int,
    comparison: Comparison,
    ends: bool = True,
) -> list[str]:
    """Compare the beats of the output stream with the network's output.

    Parameters
    ----------
    outputs : sequence of (payload, cycle)
        A payload is the value in two's complement, and ``last`` above it; -1 one with unknown bits.
    golden : int64 [N, H, W, C]
        Codes of the output tensor; beats come in the order y, x, c.
    layer : str
        Layer whose values these are.
    value_bits : int
        Bits of a value.
    comparison : Comparison
        To which the counts are added.
    ends : bool
        Whether the tensor ends an image: its last beat is marked.

    Returns
    -------
    problems : list of str
        Where ``last`` is wrong, or bits are unknown.
    """
    problems = []
    beats = golden[0].size
    unknown = [at for at, (payload, _) in enumerate(outputs) if payload < 0]
    if unknown:
        problems.append(f"output of image {unknown[0] // beats}: {len(unknown)} beats hold unknown bits")
    for image, want in enumerate(np.asarray(golden, dtype=np.int64)):
        payloads = [payload for payload, _ in outputs[image * beats : (image + 1) * beats]]
        values = np.array([_signed(payload, value_bits) for payload in payloads], dtype=np.int64)
        comparison.add(layer, image, values.reshape(want.shape), want)
        last = [at for at, payload in enumerate(payloads) if payload >> value_bits]
        if last != ([beats - 1] if ends else []):
            wanted = f"not on {beats - 1} alone" if ends else "but its image goes on"
            problems.append(f"output of image {image}: last is set on beats {last}, {wanted}")
    return problems


def _replay(trace: Trace, event: LayerDone, memory: list[NDArray], layer: str, allowed: Sequence[range]) -> list[str]:
    """Do the writes up to a layer's end, in order; return what is wrong with them."""
    bank, address, word = (array[event.writes] for array in (trace.bank, trace.address, trace.word))
    for number, words in enumerate(memory):
        here = (bank == number) & (address < len(words))
        words[address[here]] = word[here]
    inside = np.zeros(len(bank), dtype=bool)
    for region in allowed:
        inside |= (address >= region.start) & (address < region.stop)
    inside &= bank < len(memory)
    problems = []
    for wrong, what in (
        (~inside, "neither its tensor's nor the input's"),
        (trace.unknown[event.writes], "unknown bits"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            where = f"the first in cycle {trace.cycle[event.writes][at]} to bank {bank[at]}, address {address[at]}"
            problems.append(f"layer {layer}: {wrong.sum()} writes of words that are {what}, {where}")
    return problems


def _signed(payload: int, bits: int) -> int:
    value = payload & ((1 << bits) - 1)
    return value - (1 << bits) if value >> (bits - 1) else value
