"""Regions of an average pool: padding that does not count leaves windows of fewer taps at the edges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rowloom.model.layers import AveragePool2d, Layer
from rowloom.model.layers.base import Shape

__all__ = ["Region", "regions_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of an output map, all of whose windows have the same taps that are not padding.

    It is computed as an average pool without padding: a window of just those taps, each times what makes the windows of
    all regions comparable (:meth:`rowloom.model.layers.AveragePool2d.factors`).

    Parameters
    ----------
    row, column : int
        First output row and column.
    height, width : int
    y, x : int
        Input row and column of the first window's first tap.
    rows, taps : int
        Of a window.
    factor : int
        By which each tap is multiplied.
    """

    row: int
    column: int
    height: int
    width: int
    y: int
    x: int
    rows: int
    taps: int
    factor: int

    def __str__(self) -> str:
        return f"[{self.row}:{self.row + self.height}, {self.column}:{self.column + self.width}]"


def regions_of(layer: Layer, shape: Shape) -> list[Region]:
    """The regions of a layer that reads a map of ``shape``, by rows; none if all its windows are alike.

    Equal counts of taps alone do not make windows alike: those at the top lack other rows than those at the bottom.
    """
    if not isinstance(layer, AveragePool2d) or layer.count_include_pad:
        return []
    rows, columns = layer.taps(shape)
    if len(set(rows)) == 1 and len(set(columns)) == 1:
        return []
    down, across = layer.factors(shape)
    return [
        Region(
            row=row,
            column=column,
            height=height,
            width=width,
            y=y,
            x=x,
            rows=rows[row],
            taps=columns[column],
            factor=down[row] * across[column],
        )
        for row, height, y in _runs(layer.padding[0], layer.stride[0], rows)
        for column, width, x in _runs(layer.padding[2], layer.stride[1], columns)
    ]


def _runs(before: int, stride: int, counts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """First window, number of windows and first tap of neighbours that lack the same taps."""
    lacking = [(max(0, before - at * stride), count) for at, count in enumerate(counts)]
    at = 0
    for (cut, _), members in groupby(lacking):
        many = len(list(members))
        yield at, many, at * stride - before + cut
        at += many
