"""torch's operators with windows: convolutions, pools, means."""

from collections.abc import Callable
from typing import Any

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.torch_export.program import Call
from rowloom.model.formats.torch_export.writer import Writer


def _sizes(value: Any, count: int) -> list[int]:
    """Return a number for each of the axes of a window."""
    values = [value] if isinstance(value, int) else list(value)
    if len(values) not in (1, count) or not all(isinstance(each, int) for each in values):
        raise Misfit(f"has {values}, where {count} integers are needed")
    return values * (count // len(values))


def _conv(writer: Writer, call: Call) -> None:
    x, weight, bias = writer.tensor(call, 0, "input"), writer.tensor(call, 1, "weight"), call.get(2, "bias")
    spatial = writer.rank(weight) - 2
    if writer.rank(x) != spatial + 2:
        raise Misfit(f"takes {writer.rank(x)} axes, where a batch and {spatial + 1} others are needed")
    general = call.target == "aten.convolution"
    if general and call.get(6, "transposed", False):
        raise Misfit("is transposed, where a plain convolution is needed")
    padding = call.get(4, "padding", 0)
    attributes: dict[str, Any] = {
        "strides": _sizes(call.get(3, "stride", 1), spatial),
        "dilations": _sizes(call.get(5, "dilation", 1), spatial),
        "group": int(call.get(8 if general else 6, "groups", 1)),
    }
    if isinstance(padding, str):
        # torch pads the end more where sides differ, for strides of 1: ONNX's SAME_UPPER.
        attributes["auto_pad"] = {"same": "SAME_UPPER", "valid": "VALID"}[padding]
    else:
        attributes["pads"] = _sizes(padding, spatial) * 2
    writer.add(call, "Conv", x, weight, *([bias] if bias else []), **attributes)


def _spatial(call: Call) -> int:
    return 1 if "1d" in call.target else 2


def _max_pool(writer: Writer, call: Call) -> None:
    spatial = _spatial(call)
    kernel = _sizes(call.needed(1, "kernel_size"), spatial)
    writer.add(
        *(call, "MaxPool", writer.tensor(call, 0, "self")),
        kernel_shape=kernel,
        strides=_sizes(call.get(2, "stride") or kernel, spatial),
        pads=_sizes(call.get(3, "padding", 0), spatial) * 2,
        dilations=_sizes(call.get(4, "dilation", 1), spatial),
        ceil_mode=int(call.get(5, "ceil_mode", False)),
    )


def _average_pool(writer: Writer, call: Call) -> None:
    spatial = _spatial(call)
    kernel = _sizes(call.needed(1, "kernel_size"), spatial)
    if call.get(6, "divisor_override"):
        raise Misfit("divides by another number than its taps")
    writer.add(
        *(call, "AveragePool", writer.tensor(call, 0, "self")),
        kernel_shape=kernel,
        strides=_sizes(call.get(2, "stride") or kernel, spatial),
        pads=_sizes(call.get(3, "padding", 0), spatial) * 2,
        ceil_mode=int(call.get(4, "ceil_mode", False)),
        count_include_pad=int(call.get(5, "count_include_pad", True)),
    )


def _adaptive(kind: str, whole: str) -> Callable[[Writer, Call], None]:
    """A pool whose windows follow from the size of its result, which must divide that of its input."""

    def write(writer: Writer, call: Call) -> None:
        x, spatial = writer.tensor(call, 0, "self"), _spatial(call)
        wanted, given = _sizes(call.needed(1, "output_size"), spatial), writer.shape(x)[-spatial:]
        if wanted == [1] * spatial and whole == "GlobalAveragePool":
            writer.add(call, whole, x)
            return
        if any(size is None or size % count for size, count in zip(given, wanted, strict=True)):
            raise Misfit(f"pools {list(given)} to {wanted}, where windows of one size are needed")
        kernel = [(size or 0) // count for size, count in zip(given, wanted, strict=True)]
        writer.add(call, kind, x, kernel_shape=kernel, strides=kernel, pads=[0] * (2 * spatial))

    return write


def _reduce(kind: str) -> Callable[[Writer, Call], None]:
    def write(writer: Writer, call: Call) -> None:
        x = writer.tensor(call, 0, "self")
        axes = call.needed(1, "dim")
        axes = [axes] if isinstance(axes, int) else [int(axis) for axis in axes]
        writer.add(call, kind, x, axes=axes, keepdims=int(call.get(2, "keepdim", False)))

    return write


def _greatest(writer: Writer, call: Call) -> None:
    """The greatest of the whole height and width."""
    x = writer.tensor(call, 0, "self")
    shape, axes = writer.shape(x), call.needed(1, "dim")
    rank = len(shape)
    which = sorted(int(axis) % rank for axis in ([axes] if isinstance(axes, int) else axes))
    if rank not in (3, 4) or which != list(range(2, rank)) or None in shape[2:]:
        raise Misfit(f"takes the greatest along axes {which} of {rank}, where height and width are needed")
    kernel = [int(size or 0) for size in shape[2:]]
    kept = bool(call.get(2, "keepdim", False))
    output = None if kept else f"{call.name}.pooled"
    pooled = writer.add(call, "MaxPool", x, kernel_shape=kernel, strides=[1] * len(kernel), output=output)
    if not kept:
        writer.add(call, "Flatten", pooled, axis=1)


CALLS: dict[str, Callable[[Writer, Call], None]] = {
    "aten._adaptive_avg_pool2d": _adaptive("AveragePool", "GlobalAveragePool"),
    "aten.adaptive_avg_pool1d": _adaptive("AveragePool", "GlobalAveragePool"),
    "aten.adaptive_avg_pool2d": _adaptive("AveragePool", "GlobalAveragePool"),
    "aten.adaptive_max_pool1d": _adaptive("MaxPool", "MaxPool"),
    "aten.adaptive_max_pool2d": _adaptive("MaxPool", "MaxPool"),
    "aten.amax": _greatest,
    "aten.avg_pool1d": _average_pool,
    "aten.avg_pool2d": _average_pool,
    "aten.conv1d": _conv,
    "aten.conv1d.padding": _conv,
    "aten.conv2d": _conv,
    "aten.conv2d.padding": _conv,
    "aten.convolution": _conv,
    "aten.max_pool1d": _max_pool,
    "aten.max_pool2d": _max_pool,
    "aten.max_pool2d_with_indices": _max_pool,
    "aten.mean.dim": _reduce("ReduceMean"),
    "aten.sum.dim_IntList": _reduce("ReduceSum"),
}
