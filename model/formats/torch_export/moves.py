"""torch's operators that move numbers, or name their axes anew."""

from collections.abc import Callable

import numpy as np

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.torch_export.program import Call, Ref
from rowloom.model.formats.torch_export.writer import Writer


def _concat(writer: Writer, call: Call) -> None:
    tensors = call.needed(0, "tensors")
    if not isinstance(tensors, list) or not all(isinstance(each, Ref) for each in tensors):
        raise Misfit("joins what is no list of tensors")
    writer.add(call, "Concat", *tensors, axis=int(call.get(1, "dim", 0)))


def _flatten(writer: Writer, call: Call) -> None:
    """To the shape that the program tells; the batch may be open."""
    x = writer.tensor(call, 0, "self")
    first, last = int(call.get(1, "start_dim", 0)), int(call.get(2, "end_dim", -1))
    if first == 1 and last in (-1, writer.rank(x) - 1):
        writer.add(call, "Flatten", x, axis=1)
    else:
        _to_shape(writer, call, x, list(writer.shape(call.outputs[0])))


def _reshape(writer: Writer, call: Call) -> None:
    name = "shape" if call.target == "aten.reshape" else "size"
    _to_shape(writer, call, writer.tensor(call, 0, "self"), list(call.needed(1, name)))


def _unflatten(writer: Writer, call: Call) -> None:
    _to_shape(writer, call, writer.tensor(call, 0, "self"), list(writer.shape(call.outputs[0])))


def _to_shape(writer: Writer, call: Call, x: str, wanted: list[int | None]) -> None:
    if wanted and wanted[0] is None:
        wanted[0] = 0 if -1 in wanted else -1
    if None in wanted:
        raise Misfit(f"makes a shape of {wanted}, where sizes are needed that are fixed but for the batch")
    writer.add(call, "Reshape", x, writer.constant(call, "shape", wanted, np.int64))


def _expand(writer: Writer, call: Call) -> None:
    """Of constants, or to the same shape."""
    x, wanted = writer.tensor(call, 0, "self"), call.needed(1, "size")
    if x in writer.program.shapes and len(wanted) == writer.rank(x):
        given = writer.shape(x)
        if all(size in (-1, old) for size, old in zip(wanted, given, strict=True)):
            writer.add(call, "Identity", x)
            return
    writer.add(call, "Expand", x, writer.constant(call, "size", wanted, np.int64))


def _permute(writer: Writer, call: Call) -> None:
    x = writer.tensor(call, 0, "self")
    rank = writer.rank(x)
    writer.add(call, "Transpose", x, perm=[int(axis) % rank for axis in call.needed(1, "dims")])


def _transpose(writer: Writer, call: Call) -> None:
    x = writer.tensor(call, 0, "self")
    order = list(range(writer.rank(x)))
    first, second = (0, 1) if call.target == "aten.t" else (int(call.needed(1, "dim0")), int(call.needed(2, "dim1")))
    if len(order) > 1:
        order[first], order[second] = order[second], order[first]
    writer.add(call, "Transpose", x, perm=order)


def _squeeze(writer: Writer, call: Call) -> None:
    """Axes that are not of size 1 stay."""
    x = writer.tensor(call, 0, "self")
    shape, axes = writer.shape(x), call.get(1, "dim")
    if axes is None:
        axes = range(len(shape))
    wanted = {int(axis) % len(shape) for axis in ([axes] if isinstance(axes, int) else axes)}
    gone = [axis for axis in sorted(wanted) if shape[axis] == 1 and axis]
    if gone:
        writer.add(call, "Squeeze", x, axes=gone)
    else:
        writer.add(call, "Identity", x)


def _unsqueeze(writer: Writer, call: Call) -> None:
    writer.add(call, "Unsqueeze", writer.tensor(call, 0, "self"), axes=[int(call.needed(1, "dim"))])


def _pad(writer: Writer, call: Call) -> None:
    """torch counts from the last axis, and has begin and end of an axis side by side."""
    x, given = writer.tensor(call, 0, "self"), [int(each) for each in call.needed(1, "pad")]
    mode, place = (call.get(2, "mode", "constant"), 3) if call.target == "aten.pad" else ("constant", 2)
    if len(given) % 2 or len(given) > 2 * writer.rank(x):
        raise Misfit(f"has pads {given} for {writer.rank(x)} axes")
    rest = [0] * (writer.rank(x) - len(given) // 2)
    pads = [*rest, *given[-2::-2], *rest, *given[::-2]]
    writer.add(call, "Pad", x, mode=mode, pads=pads, value=float(call.get(place, "value", 0.0)))


def _upsample(writer: Writer, call: Call) -> None:
    x = writer.tensor(call, 0, "input")
    given, wanted = writer.shape(x)[2:], writer.shape(call.outputs[0])[2:]
    if len(given) != 2 or None in (*given, *wanted):
        raise Misfit(f"makes {list(wanted)} of {list(given)}, where two sizes that are fixed are needed")
    scales = [1.0, 1.0, *(new / old for new, old in zip(wanted, given, strict=True) if new and old)]
    writer.add(
        *(call, "Resize", x, "", writer.constant(call, "scales", scales, np.float64)),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _pixel_shuffle(writer: Writer, call: Call) -> None:
    factor = int(call.needed(1, "upscale_factor"))
    writer.add(call, "DepthToSpace", writer.tensor(call, 0, "self"), blocksize=factor, mode="CRD")


def _channel_shuffle(writer: Writer, call: Call) -> None:
    x, groups = writer.tensor(call, 0, "self"), int(call.needed(1, "groups"))
    shape = [0, *(size or 0 for size in writer.shape(x)[1:])]
    if len(shape) != 4 or 0 in shape[1:] or groups < 1 or shape[1] % groups:
        raise Misfit(f"shuffles {groups} groups of a tensor of shape {shape}")
    split = writer.constant(call, "split", [0, groups, shape[1] // groups, *shape[2:]], np.int64)
    apart = writer.add(call, "Reshape", x, split, output=f"{call.name}.apart")
    turned = writer.add(call, "Transpose", apart, perm=[0, 2, 1, 3, 4], output=f"{call.name}.turned")
    writer.add(call, "Reshape", turned, writer.constant(call, "shape", shape, np.int64))


def _dropout(writer: Writer, call: Call) -> None:
    if call.get(2, "train", False):
        raise Misfit("is in training mode")
    _same(writer, call)


def _same(writer: Writer, call: Call) -> None:
    writer.add(call, "Identity", writer.tensor(call, 0, "self"))


CALLS: dict[str, Callable[[Writer, Call], None]] = {
    "aten._unsafe_view": _reshape,
    "aten.alias": _same,
    "aten.cat": _concat,
    "aten.channel_shuffle": _channel_shuffle,
    "aten.clone": _same,
    "aten.constant_pad_nd": _pad,
    "aten.contiguous": _same,
    "aten.detach": _same,
    "aten.detach_": _same,
    "aten.dropout": _dropout,
    "aten.dropout_": _dropout,
    "aten.expand": _expand,
    "aten.feature_dropout": _dropout,
    "aten.flatten.using_ints": _flatten,
    "aten.lift_fresh_copy": _same,
    "aten.native_channel_shuffle": _channel_shuffle,
    "aten.pad": _pad,
    "aten.permute": _permute,
    "aten.pixel_shuffle": _pixel_shuffle,
    "aten.reshape": _reshape,
    "aten.squeeze": _squeeze,
    "aten.squeeze.dim": _squeeze,
    "aten.squeeze.dims": _squeeze,
    "aten.t": _transpose,
    "aten.transpose.int": _transpose,
    "aten.unflatten.int": _unflatten,
    "aten.unsqueeze": _unsqueeze,
    "aten.upsample_nearest2d": _upsample,
    "aten.upsample_nearest2d.vec": _upsample,
    "aten.view": _reshape,
}
