"""Layers with more weights than their memory holds, as several layers of fewer filters each."""

from collections.abc import Iterator
from dataclasses import replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.mapping.folding import fold_step
from rowloom.hw.mapping.slices import Part, Split, post_of
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.steps import steps_of
from rowloom.model.layers import Concat, Conv2d, Linear

__all__ = ["with_portions"]


def with_portions(pieces: Split, config: ArrayConfig, banks: int) -> Split:
    """Split layers whose weights take more than half of the memory through which they are streamed.

    So that one part comes while another runs. Parts have whole words of filters, and are written side by side; a layer
    that gives raw sums stays whole, since what leaves is one tensor.
    """
    network = pieces.network
    steps = steps_of(network, config, banks)[0]
    for step in steps:
        fold_step(step, config, banks, network.input, 1)
    filters: dict[str, int] = {}
    for step in steps:
        mine = [other for other in steps if other.array is step.array and other.path == "array"]
        if step.path != "array" or sum(_depth(other.fold, other.window.filters, config) for other in mine) <= (
            config.weight_depth
        ):
            continue
        count = _filters(step, config)
        if count < len(step.layer.weights) and step.layer.post is not None and getattr(step.layer, "groups", 1) == 1:
            filters[step.name] = count
    return _split(pieces, filters) if filters else pieces


def _depth(fold: Fold, filters: int, config: ArrayConfig) -> int:
    """Words of weights in each row for so many filters."""
    return -(-filters // (fold.groups * config.drains)) * fold.accumulation


def _filters(step: Step, config: ArrayConfig) -> int:
    """Filters of a part: as many words of them as half of the memory holds, at least one."""
    count = config.lanes
    while count < step.window.filters and (_depth(step.fold, count + config.lanes, config) <= config.weight_depth // 2):
        count += config.lanes
    return count


def _split(pieces: Split, filters: dict[str, int]) -> Split:
    """Put in place of each named layer one for every so many filters, and a concatenation."""
    network = pieces.network
    tensors, layers = list(network.tensors), []
    parts = dict(pieces.parts)
    for layer in network.layers:
        if layer.name not in filters:
            layers.append(layer)
            continue
        assert isinstance(layer, Conv2d | Linear)
        target, outputs = network.tensor(layer.output), []
        whole = parts.pop(layer.output, Part(whole=layer.output, first=0, stop=len(layer.weights)))
        for part, mine in _ranges(layer, filters[layer.name]):
            tensors.append(replace(target, name=part.output, shape=(*target.shape[:2], mine.stop - mine.start)))
            parts[part.output] = Part(whole=whole.whole, first=whole.first + mine.start, stop=whole.first + mine.stop)
            layers.append(part)
            outputs.append(part.output)
        layers.append(Concat(name=layer.name, inputs=tuple(outputs), output=layer.output))
    return replace(pieces, network=replace(network, tensors=tuple(tensors), layers=tuple(layers)), parts=parts)


def _ranges(layer: Conv2d | Linear, count: int) -> Iterator[tuple[Conv2d | Linear, slice]]:
    """The layer of every ``count`` filters, and which these are."""
    total = len(layer.weights)
    for number, first in enumerate(range(0, total, count)):
        mine = slice(first, min(first + count, total))
        yield (
            replace(
                layer,
                name=f"{layer.name}/{number}",
                output=f"{layer.output}/{number}",
                weights=layer.weights[mine],
                bias=None if layer.bias is None else layer.bias[mine],
                post=post_of(layer.post, mine),
            ),
            mine,
        )
