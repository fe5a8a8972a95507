"""Whether it is worth the time to compile a network in a certain way."""

from collections.abc import Collection
from dataclasses import replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.design import Design
from rowloom.hw.mapping.cost import estimate
from rowloom.hw.mapping.folding import fold_step
from rowloom.hw.mapping.steps import steps_of
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

__all__ = ["is_hopeless"]

#: How many times as large as another design's the least LUTs times cycles must be.
TIMES = 2


def is_hopeless(network: Network, config: ArrayConfig, banks: int, planes: Collection[str], other: Design) -> bool:
    """Whether the named layers as bit planes surely take more LUTs times cycles than another design does.

    What is compared are the loop nests of those layers alone, and arrays of the narrowest sums: bounds that are found
    without the weights.
    """
    try:
        steps, arrays, vectors, _ = steps_of(network, config, banks, planes)
        of_planes = [step for step in steps if step.planes is not None]
        for step in of_planes:
            fold_step(step, config, banks, network.input, 1)
    except RowloomError:
        return False  # compiling it tells what is wrong
    cycles = sum(step.fold.issue_cycles for step in of_planes)
    hardware = replace(other.hardware, arrays=tuple(arrays), vectors=tuple(vectors))
    return estimate(hardware).lut4 * cycles > TIMES * other.cost.lut4 * other.cycles
