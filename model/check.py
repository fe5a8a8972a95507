"""Whether a layer suits the tensors round it: shapes, encodings and widths."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rowloom.model.bounds import check_width, sum_bounds
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, ArgMax, Layer, MaxPool2d, SummingLayer

if TYPE_CHECKING:
    from rowloom.model.network import Tensor


def check_layer(layer: Layer, sources: "Sequence[Tensor]", target: "Tensor") -> None:
    """Raise RowloomError, naming the layer, unless it turns tensors like ``sources`` into one like ``target``."""
    shape = layer.output_shape(*(source.shape for source in sources))
    if shape != target.shape:
        raise RowloomError(layer.name, f"gives {shape}, but {target.name} is {target.shape}")
    if isinstance(layer, Add):
        _check_tables(layer, sources)
    if isinstance(layer, SummingLayer):
        _check_sums(layer, sources, target)
    elif isinstance(layer, ArgMax):
        last = sources[0].shape[2] - 1
        if target.encoding.min > 0 or target.encoding.max < last:
            raise RowloomError(layer.name, f"gives 0 to {last}, more than {target.encoding} holds")
    else:
        for source in sources:
            if source.encoding != target.encoding:
                raise RowloomError(layer.name, f"must keep {source.encoding}, not give {target.encoding}")
        if isinstance(layer, MaxPool2d) and not target.encoding.ordered:
            raise RowloomError(layer.name, f"cannot compare codes of {target.encoding}")


def _check_tables(layer: Add, sources: "Sequence[Tensor]") -> None:
    for i, (table, source) in enumerate(zip(layer.tables, sources, strict=True)):
        codes = source.encoding.code_max - source.encoding.code_min + 1
        if len(table) != codes:
            raise RowloomError(
                layer.name,
                f"table {i} has {len(table)} entries, but {source.name} has {codes} codes",
                "must have one for each code",
            )


def _check_sums(layer: SummingLayer, sources: "Sequence[Tensor]", target: "Tensor") -> None:
    lows, highs = sum_bounds(layer, [each.shape for each in sources], [each.encoding for each in sources])
    low, high = min(lows), max(highs)
    check_width(layer.name, low, high)
    if layer.post is not None:
        layer.post.check(layer.name, target.encoding, lows, highs)
    elif low < target.encoding.min or high > target.encoding.max:
        raise RowloomError(layer.name, f"gives sums of {low} to {high}, more than {target.encoding} holds")
