"""How the network's input is laid out for the layer that reads it: as pixels, or as the windows of its columns."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rowloom.hw.config import ArrayConfig
from rowloom.hw.engine_parameters import ArrayParameters
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.cycles import load_cycles
from rowloom.hw.mapping.engine import bare, has_zero, is_linear, pads_live, zeros_show
from rowloom.hw.mapping.fold import array_folds
from rowloom.hw.mapping.weights import takes_zeros
from rowloom.hw.mapping.window import window_of
from rowloom.hw.units import SPECS
from rowloom.model.encodings import Encoding
from rowloom.model.layers import Conv2d

__all__ = ["input_layout"]

#: Share of its cycles that a layer must save, and more, by windows of several words, which take more memory.
LEAST_SAVED = 1 / 8


def input_layout(
    layer: Any,
    plain: Layout,
    encoding: Encoding,
    array: ArrayParameters,
    config: ArrayConfig,
    banks: int,
    *,
    alone: bool,
) -> Layout:
    """The layout in which a layer on an array reads the network's input.

    Windows that fit into one word are always packed, others where that saves enough cycles.

    Parameters
    ----------
    plain : Layout
        Of pixels.
    encoding : Encoding
        Of the input.
    alone : bool
        No other layer reads it, nor another network's, and it is not stored plane by plane.
    """
    packed = _packed(layer, plain, encoding)
    if packed is None:
        return plain
    usual = packed if packed.window_words == 1 else plain
    if not alone:
        return usual
    ways = {way: _cycles(layer, way, array, config, banks) for way in (packed, *_deep(layer, packed))}
    best = min(ways, key=lambda way: ways[way])
    return best if ways[best] < (1 - LEAST_SAVED) * _cycles(layer, usual, array, config, banks) else usual


def _packed(layer: Any, plain: Layout, encoding: Encoding) -> Layout | None:
    """Windows of columns; None where they cannot be, or hold one code."""
    if not isinstance(layer, Conv2d) or layer.groups > 1 or not has_zero(bare(encoding)):
        return None
    if zeros_show(layer) and any(layer.padding[2:]):
        return None
    taps = layer.weights.shape[2]
    if taps == 1 or layer.dilation[1] > 1 or layer.padding[2] >= taps:
        return None
    columns = layer.output_shape(plain.shape)[1]
    return replace(plain, window=taps, stride=layer.stride[1], padding=layer.padding[2], columns=columns)


def _deep(layer: Conv2d, packed: Layout) -> Iterator[Layout]:
    """The same with as many input rows in a row of the banks as the stride takes.

    The columns of a strip then need neighbouring rows, whatever the stride. Input rows that are missing at the map's
    end must not be read, and those beside the kernel must weigh 0.
    """
    deep, (top, *_), rows = layer.stride[0], layer.padding, layer.weights.shape[1]
    if deep == 1 or layer.dilation[0] > 1 or pads_live(layer) or not is_linear(layer) or not takes_zeros(layer):
        return
    height = layer.output_shape(packed.shape)[0]
    if packed.shape[0] % deep == 0 or (height - 1) * deep - top + rows <= packed.shape[0]:
        yield replace(packed, deep=deep)


def _cycles(layer: Conv2d, layout: Layout, array: ArrayParameters, config: ArrayConfig, banks: int) -> float:
    """Cycles of the loop nest; and of loading an image, where no layer hides that."""
    merge = not array.live_padding and array.unit != SPECS["xnor"].NAME and has_zero(array.activations)
    folds = array_folds(
        window_of(layer, layout, layer.output_shape(layout.shape)),
        layout,
        config,
        chain=array.rows // config.drains,
        stacked=array.stacked,
        banks=banks,
        merge=merge and is_linear(layer),
    )
    loading = 0 if config.prefetch else load_cycles(layout)
    return loading + min((fold.issue_cycles for fold in folds), default=float("inf"))
