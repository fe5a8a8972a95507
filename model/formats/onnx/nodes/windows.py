"""What a node says about a window that slides: kernel, strides, pads, dilations."""

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.layers import Shape

Pair = tuple[int, int]

MOST = 1 << 16


def window(
    node: Node, shape: Shape, order: str, kernel: Pair | None, before: tuple[int, int, int, int]
) -> tuple[Pair, Pair, tuple[int, int, int, int], Pair, tuple[int, int, int, int]]:
    """Return kernel, stride, padding with what ``before`` adds, dilation, and the node's own padding.

    Parameters
    ----------
    shape : (H, W, C)
        Of the map.
    order : str
        Of the axes, such as ``NCHW``; the window slides along H and W as far as they are there.
    kernel : (int, int) or None
        Where the node itself need not say it.
    """
    attributes = node.attributes
    along = [letter for letter in order if letter in "HW"]
    spatial = len(along)
    sizes = _pair(node, "kernel_shape", along, kernel)
    stride = _pair(node, "strides", along, (1, 1))
    dilation = _pair(node, "dilations", along, (1, 1))
    pads = [int(each) for each in attributes.get("pads", [0] * (2 * spatial))]
    if len(pads) != 2 * spatial or min(pads) < 0 or max(pads) >= MOST:
        raise Misfit(f"has pads {pads}, where {2 * spatial} numbers from 0 on are needed")
    both = {letter: (pads[place], pads[place + spatial]) for place, letter in enumerate(along)}
    (top, bottom), (left, right) = both.get("H", (0, 0)), both.get("W", (0, 0))
    automatic = attributes.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        heights = shape[0] + before[0] + before[1]
        widths = shape[1] + before[2] + before[3]
        top, bottom = _same(heights, sizes[0], stride[0], dilation[0], automatic)
        left, right = _same(widths, sizes[1], stride[1], dilation[1], automatic)
    elif automatic not in ("NOTSET", "VALID", ""):
        raise Misfit(f"has auto_pad {automatic!r}")
    elif automatic == "VALID":
        top = bottom = left = right = 0
    own = (top, bottom, left, right)
    return sizes, stride, (top + before[0], bottom + before[1], left + before[2], right + before[3]), dilation, own


def _pair(node: Node, name: str, along: list[str], default: Pair | None) -> Pair:
    """Return what an attribute says for H and W; 1 for the axis that is not there."""
    values = node.attributes.get(name)
    if not values:
        if default is None:
            raise Misfit(f"has no {name}")
        return default
    if not isinstance(values, list) or len(values) != len(along) or min(values) < 1 or max(values) >= MOST:
        raise Misfit(f"has {name} {values}, where {len(along)} numbers from 1 on are needed")
    by_letter = dict(zip(along, values, strict=True))
    return by_letter.get("H", 1), by_letter.get("W", 1)


def _same(size: int, kernel: int, stride: int, dilation: int, which: str) -> Pair:
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if which == "SAME_UPPER" else (more, less)
