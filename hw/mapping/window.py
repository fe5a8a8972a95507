"""The kernel of a layer as it slides over its stored input."""

from dataclasses import dataclass

from rowloom.hw.layout import Layout
from rowloom.hw.mapping.regions import Region
from rowloom.hw.mapping.send import Send
from rowloom.model.layers import Add, Conv2d, Layer, Linear, Pool2d, Upsample

__all__ = ["Window", "window_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The kernel of a layer as it slides over the stored input; rows are those of the banks.

    ``rows`` x ``taps`` positions; steps down and across; ``top`` and ``left`` padding; output of
    ``height`` x ``width`` pixels of ``filters`` channels. Each pixel is written as a square of ``side`` x ``side``,
    and read ``copies`` times.
    """

    height: int
    width: int
    filters: int
    rows: int = 1
    taps: int = 1
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    top: int = 0
    left: int = 0
    padded: bool = False
    side: int = 1
    copies: int = 1


def window_of(
    layer: Layer | Send, source: Layout, target: tuple[int, int, int], region: Region | None = None
) -> Window:
    """The window of a layer, or of a region of its output, over its input's layout; the taps of a sum are its maps."""
    height, width, filters = target
    if isinstance(layer, Upsample):
        height, width, _ = source.shape
        return Window(height=height, width=width, filters=filters, side=layer.factor, copies=layer.factor**2)
    if isinstance(layer, Add | Send):
        return Window(height=height, width=width, filters=filters, taps=len(layer.inputs), dilation_x=0)
    if isinstance(layer, Linear):
        rows, taps, _ = source.shape
        return Window(height=1, width=1, filters=filters, rows=rows, taps=taps)
    if isinstance(layer, Conv2d):
        rows, taps = layer.weights.shape[1:3]
        dilation = layer.dilation
    else:
        assert isinstance(layer, Pool2d)
        rows, taps = layer.kernel
        dilation = (1, 1)
    top, _, left, _ = layer.padding
    if region is not None:
        return Window(
            height=region.height,
            width=region.width,
            filters=filters,
            rows=region.rows,
            taps=region.taps,
            stride_y=layer.stride[0],
            stride_x=layer.stride[1],
            top=-region.y,
            left=-region.x,
        )
    packed, deep = source.packed, source.deep
    above = -top % deep  # rows of weights before the kernel, so that it begins with a row of the banks
    return Window(
        rows=-(-(above + rows) // deep),
        taps=1 if packed else taps,
        stride_y=layer.stride[0] // deep,
        stride_x=1 if packed else layer.stride[1],
        dilation_y=dilation[0] if rows > 1 else 1,
        dilation_x=1 if packed else dilation[1],
        top=(top + above) // deep,
        left=0 if packed else left,
        padded=any(layer.padding),
        height=height,
        width=width,
        filters=filters,
    )
