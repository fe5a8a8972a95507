"""Concat: channels of several branches side by side."""

from dataclasses import replace
from fractions import Fraction

from rowloom.model.encodings import Encoding
from rowloom.model.formats.onnx.axes import ROLES, Axes, Misfit
from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Importer
from rowloom.model.formats.onnx.layers.adding import Operand, recoded
from rowloom.model.formats.onnx.layers.operands import operand
from rowloom.model.formats.onnx.layers.sums import CODE_BITS
from rowloom.model.formats.onnx.layers.weights import MOST_BITS, common_unit
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Joined, Numbers, Signal, shortest
from rowloom.model.layers import Concat


def concat_node(importer: Importer, node: Node) -> None:
    """Concat of channels: of codes of one kind at once, of others once they are of one kind, or somebody needs them."""
    if any(isinstance(importer.values.get(name), Constant) for name in node.inputs):
        raise Misfit("joins constants to what is computed")
    first = importer.values.get(node.inputs[0]) if node.inputs else None
    rank = len(first.shape if isinstance(first, Joined) else importer.signal(node).axes.shape)
    axis = int(node.attributes.get("axis", 1)) % rank
    signals: list[Signal] = []
    for place, name in enumerate(node.inputs):
        value = importer.values.get(name)
        if isinstance(value, Joined) and value.axis == axis:
            signals.extend(value.parts)
            continue
        signal = importer.signal(node, place)
        if signal.carrier is None:
            raise Misfit("joins the graph's input as floats, where a quantizer is needed before")
        importer.map_shape(signal)
        signals.append(importer.refreshed(signal))
    _check_axes(signals, axis)
    importer.set(node, settled(importer, Joined(parts=tuple(signals), axis=axis), str(node)))


def _check_axes(signals: list[Signal], axis: int) -> None:
    """Raise Misfit unless the signals differ in their channels alone, which stand along an axis."""
    shapes = [list(signal.axes.shape) for signal in signals]
    for signal, shape in zip(signals, shapes, strict=True):
        if any(signal.padding):
            raise Misfit("comes after Pad, where a convolution is needed")
        if len(shape) != len(shapes[0]) or signal.axes.axes[axis] not in (("C",), ()):
            raise Misfit(f"joins along axis {axis}, where the channels are needed")
        other = [*signal.axes.axes[:axis], *signal.axes.axes[axis + 1 :]]
        if other != [*signals[0].axes.axes[:axis], *signals[0].axes.axes[axis + 1 :]] or (
            [*shape[:axis], *shape[axis + 1 :]] != [*shapes[0][:axis], *shapes[0][axis + 1 :]]
        ):
            raise Misfit(
                f"joins {' and '.join(str(tuple(each)) for each in shapes)}, which differ in more than axis {axis}"
            )


def settled(importer: Importer, joined: Joined, node: str) -> Signal | Joined:
    """Return the whole if its parts are codes of one kind, else the parts."""
    kinds = set()
    for part in joined.parts:
        carrier = importer.quantized(part)
        if carrier.layer is not None or part.chain or any(part.padding):
            return joined
        kinds.add((importer.encoding(carrier.tensor), carrier.unit, carrier.offset))
    if len(kinds) > 1 or any(len(numbers) > 1 for _, *both in kinds for numbers in both):
        return joined
    return whole(importer, joined, node)


def whole(importer: Importer, joined: Joined, node: str = "concat", most: int = MOST_BITS) -> Signal:
    """Return the channels of all parts in one map, as codes of at most ``most`` bits.

    Parts of unlike scales become multiples of their common unit where these are no wider than the widest of them, or
    than what the accelerator's layers take; else each keeps its codes, and its scale.
    """
    operands = [operand(importer, part, most) for part in joined.parts]
    encodings = [importer.encoding(tensor) for tensor, _, _ in operands]
    multipliers = [1] * len(operands)
    units: Numbers
    offsets: Numbers
    alike = _alike(operands, encodings)
    if alike is not None:
        multipliers, units, offsets = alike
    else:
        units, offsets = (_beside(importer, operands, which) for which in (1, 2))
    target = _common(encodings, multipliers, most)
    tensors = [recoded(importer, tensor, target, k) for (tensor, _, _), k in zip(operands, multipliers, strict=True)]
    name = importer.layer_name("concat")
    importer.builder.add(Concat(name=name, inputs=tuple(tensors), output=name), target, importer.scale_of(units))
    nodes = dict.fromkeys(each for part in joined.parts for each in part.nodes)
    importer.builder.note((*nodes, node), name, "concat")
    shape = importer.builder.tensors[name].shape
    axes = list(joined.parts[0].axes.axes)
    axes[joined.axis] = ("C",)
    return replace(
        joined.parts[0],
        axes=Axes(tuple(axes), dict(zip(ROLES, shape, strict=True))),
        carrier=importer.stored(name, units, offsets),
        chain=(),
        nodes=(),
    )


def _alike(operands: list[Operand], encodings: list[Encoding]) -> tuple[list[int], Numbers, Numbers] | None:
    """Return multipliers, unit and offset by which all are of one scale; None if each had better keep its own."""
    if any(len(numbers) > 1 for _, *both in operands for numbers in both) or len({o for _, _, o in operands}) > 1:
        return None
    unit = common_unit(units[0] for _, units, _ in operands) or Fraction(1)
    multipliers = [int(units[0] / unit) for _, units, _ in operands]
    ends = [value * m for e, m in zip(encodings, multipliers, strict=True) for value in (e.min, e.max)]
    widest = max(encoding.bits for encoding in encodings)
    if set(multipliers) != {1} and uniform_between(min(ends), max(ends)).bits > max(widest, CODE_BITS):
        return None
    return multipliers, (unit,), operands[0][2]


def _beside(importer: Importer, operands: list[Operand], which: int) -> Numbers:
    """Return units, or offsets, by the channels of the whole."""
    result: list[Fraction] = []
    for each in operands:
        channels = importer.builder.tensors[each[0]].shape[2]
        numbers = each[which]
        assert not isinstance(numbers, str)
        result.extend(numbers[c % len(numbers)] for c in range(channels))
    return shortest(result)


def _common(encodings: list[Encoding], multipliers: list[int], most: int) -> Encoding:
    """Return an encoding for all: theirs if it is one, else the narrowest that holds every value."""
    if len(set(encodings)) == 1 and set(multipliers) == {1}:
        return encodings[0]
    ends = [value * m for e, m in zip(encodings, multipliers, strict=True) for value in (e.min, e.max)]
    target = uniform_between(min(ends), max(ends))
    if target.bits > most:
        raise Misfit(f"joins integers of {target.bits} bits, where {most} or fewer, or a quantizer before, is needed")
    return target
