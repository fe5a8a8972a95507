"""Weight memories of arrays and vector paths, and the widths that the weights ask for."""

from collections.abc import Sequence
from dataclasses import replace

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters, VectorParameters
from rowloom.hw.mapping.sparse import leave_out_zeros
from rowloom.hw.mapping.step import Step
from rowloom.hw.mapping.vector_weights import lane_weights
from rowloom.hw.mapping.weights import row_weights
from rowloom.hw.mapping.words import WeightWords
from rowloom.model.bounds import signed_bits
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

__all__ = ["fill_array", "fill_vector", "weight_words"]


def fill_array(array: ArrayParameters, steps: Sequence[Step], config: ArrayConfig) -> ArrayParameters:
    """Lay out the weights of an array, and give it the widths that they need."""
    for half in (True,) if array.half else (False, True):
        array = replace(array, half=half)
        for step in steps:
            step.weights = row_weights(
                step.layer,
                step.layout,
                step.window,
                step.fold,
                array,
                config,
                step.planes,
                places=step.places,
                others=step.others,
                zero=step.zero,
            )
        wrong = [step for step in steps if step.weights.needs_half]
        if not wrong:
            break
    if wrong:
        raise RowloomError(
            wrong[0].layer.name,
            f"pads {wrong[0].source} with {wrong[0].layout.channels} channels",
            f"the {array.unit} unit pads multiples of {array.lanes}",
        )
    for step in steps:
        leave_out_zeros(step, config)
    array = replace(array, merged=max((step.layout.channels for step in steps if step.fold.merged), default=0))
    depth = low = high = 0
    for step in steps:
        step.weight_base = depth
        depth += step.weights.words.shape[1]
        step.array = array
        least, greatest = step.row_range(config.group)
        low, high = min(low, least), max(high, greatest)
    bits = max((-low - 1).bit_length() + 1 if low else 0, high.bit_length() + (1 if low else 0), 1)
    array = replace(array, weight_depth=depth, sum_bits=bits)
    for step in steps:
        step.array = array
    return array


def fill_vector(
    path: VectorParameters, steps: Sequence[Step], network: Network, config: ArrayConfig
) -> VectorParameters:
    """Lay out the weights of a vector path, and give it the widths that they need."""
    depth, low, high, bits = 0, 0, 0, 1
    for step in steps:
        step.weights, step.span = lane_weights(
            step.layer, network, step.layout, step.window, step.fold, config, step.region
        )
        step.weight_base = depth
        words = step.weights.words
        depth += words.shape[1]
        low, high = min(low, step.span[0]), max(high, step.span[1])
        bits = max(bits, signed_bits(int(words.min()), int(words.max())))
    path = replace(path, weight_bits=bits, weight_depth=depth, sum_bits=signed_bits(low, high))
    for step in steps:
        step.array = path
    return path


def weight_words(array: ArrayParameters | VectorParameters, steps: Sequence[Step]) -> Sequence[tuple[int, ...]]:
    """Weight memories of an array, a tuple of words a row."""
    laid = [step.weights.words for step in steps if step.array is array and step.lead is None]
    if not laid:  # built for other networks, or all weights come for every image
        return ((),) * array.rows
    return WeightWords(laid, array.weight_bits)
