"""Where tensors lie in the banks: buffers by their lifetime, tensors in their buffers."""

from collections.abc import Sequence
from dataclasses import replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.maps import Maps, level
from rowloom.hw.mapping.place import Buffer, place
from rowloom.hw.mapping.step import Step
from rowloom.model.network import Network

__all__ = ["place_maps"]


def place_maps(
    network: Network, steps: Sequence[Step], maps: Maps, config: ArrayConfig
) -> tuple[dict[str, Layout], tuple[Buffer, ...]]:
    """Place every tensor that lies in the banks: buffers by their lifetime, tensors in their buffers."""
    layouts = {name: _read(step, name) for step in steps for name in step.inputs}
    written = [(network.input, 0), *((step.output, i) for i, step in enumerate(steps) if not step.final)]
    last = len(steps) - 1
    lives: dict[str, tuple[int, int]] = {}
    for name, i in written:
        reads = [
            at for at, step in enumerate(steps) for source in step.inputs if maps.buffer[source] == maps.buffer[name]
        ]
        _live(lives, maps.buffer[name], i, max(reads, default=i))
    if config.prefetch:
        _live(lives, network.input, 0, last)
    words: dict[str, int] = {}
    for name, layout in layouts.items():
        home = maps.buffer[name]
        words[home] = max(words.get(home, 0), (maps.words_before[name] + layout.words) * layout.word_planes)
    level(words, [{maps.buffer[name] for name in step.inputs} for step in steps])
    depths = {
        maps.buffer[name]: replace(layout, pitch=words[maps.buffer[name]]).depth for name, layout in layouts.items()
    }
    buffers = place(depths, lives)
    for step in steps:  # parts of a concatenation are written, but read as a whole
        name = step.output
        if not step.final and name not in layouts:
            whole = next(each for each in layouts if maps.buffer[each] == maps.buffer[name])
            order = tuple(int(at) for at in maps.places[name])
            shape = network.tensor(name).shape
            layouts[name] = replace(layouts[whole], shape=shape, order=order)
    placed = {}
    for name, layout in layouts.items():
        home, before = maps.buffer[name], maps.words_before[name]
        pitch = words[home] if words[home] != layout.pixel_words else 0
        placed[name] = replace(layout, base=buffers[home].base + before * layout.word_planes, pitch=pitch)
    return placed, tuple(buffers.values())


def _read(step: Step, name: str) -> Layout:
    """The layout in which a step reads a tensor."""
    return step.layouts[step.inputs.index(name)]


def _live(lives: dict[str, tuple[int, int]], name: str, first: int, last: int) -> None:
    """Extend the life of a buffer."""
    before = lives.get(name, (first, last))
    lives[name] = (min(first, before[0]), max(last, before[1]))
