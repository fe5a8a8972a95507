"""Which convolutions with groups run as a layer for each group, and which as filters with weights of 0."""

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.folding import fold_step
from rowloom.hw.mapping.kinds import is_depthwise
from rowloom.hw.mapping.slices import Split, split
from rowloom.hw.mapping.steps import steps_of
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Layer
from rowloom.model.network import Network

__all__ = ["with_slices"]

#: About what a layer takes beside its loop nest: its record, the pipeline, the last drain.
_BESIDE = 40


def with_slices(network: Network, config: ArrayConfig, banks: int) -> Split:
    """The network with those convolutions split into groups that take fewer cycles so, one after the other.

    A convolution that cannot run as filters with weights of 0 is split wherever that can be. One that gives raw sums
    stays whole, since what leaves is one tensor; and so does one that reads the input, which is laid out for it.
    """
    names: tuple[str, ...] = ()
    grouped = [layer for layer in network.layers if _splits(layer, network)]
    best = _cycles(network, config, banks) if grouped else None
    for layer in grouped:
        trial = (*names, layer.name)
        cycles = _cycles(split(network, trial).network, config, banks)
        if cycles is not None and (best is None or cycles < best or not takes_zeros(layer)):
            names, best = trial, cycles
    return split(network, names) if names else Split(network=network, whole=network)


def _splits(layer: Layer, network: Network) -> bool:
    if not isinstance(layer, Conv2d) or layer.groups == 1 or is_depthwise(layer):
        return False
    return layer.post is not None and layer.input != network.input


def _cycles(network: Network, config: ArrayConfig, banks: int) -> int | None:
    """About what an image takes; None if the accelerator cannot run the network so."""
    try:
        steps = steps_of(network, config, banks)[0]
        for step in steps:
            fold_step(step, config, banks, network.input, 1)
    except RowloomError:
        return None
    return sum(step.fold.issue_cycles - step.fold.bubbles + _BESIDE for step in steps)
