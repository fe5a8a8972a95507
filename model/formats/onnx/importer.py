"""From the nodes of an ONNX graph to a network: what its executor computes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.formats.builder import Builder, Imported
from rowloom.model.formats.onnx.axes import Axes, Binding, Misfit, Parameter
from rowloom.model.formats.onnx.folding import Constant, fold
from rowloom.model.formats.onnx.numbers.quantizers import uniform_between
from rowloom.model.formats.onnx.patterns import joined
from rowloom.model.formats.onnx.reader import Graph, Node, Port
from rowloom.model.formats.onnx.signal import Carrier, Ended, InputSpec, Joined, Numbers, Signal, Windows
from rowloom.model.layers import Shape, SummingLayer
from rowloom.model.views import InputView

FLOATS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")
INTEGERS = {"UINT8": (0, 255), "INT8": (-128, 127), "UINT16": (0, 65535), "INT16": (-32768, 32767)}
INTEGERS |= {"UINT4": (0, 15), "INT4": (-8, 7), "UINT2": (0, 3), "INT2": (-2, 1), "BOOL": (0, 1)}

TURNED = str.maketrans("HW", "WH")

Value = Constant | Signal | Joined | Windows | Ended
"""What a tensor of the file is."""

DEFAULT_ORDERS = {1: "N", 2: "NC", 3: "NCW", 4: "NCHW"}


class Importer:
    """Walks the nodes of a graph in an order of execution."""

    input_name = "input"

    def __init__(
        self,
        subject: str,
        name: str,
        graph: Graph,
        *,
        input_scale: Fraction | None = None,
        input_encoding: Encoding | None = None,
    ) -> None:
        self.subject = subject
        self.graph = joined(graph)
        self.builder = Builder(name=name)
        self.values: dict[str, Value] = {}
        self.counts: dict[str, int] = {}
        self.spec: InputSpec | None = None
        self._readers: dict[str, list[Node]] = {}
        port = self._input_port()
        self.binding = Binding(self._input_shape(port))
        self._begin(port, input_scale, input_encoding)

    def run(self) -> Imported:
        """Import the whole graph."""
        from rowloom.model.formats.onnx.nodes.ends import output_view
        from rowloom.model.formats.onnx.operators import handler

        for node in self.graph.nodes:
            try:
                self._fold(node) or handler(self, node)(self, node)
            except Misfit as misfit:
                raise RowloomError(f"{self.subject}: {node}", str(misfit)) from None
            except RowloomError as error:
                if error.subject.startswith(self.subject):
                    raise
                raise RowloomError(f"{self.subject}: {node}", str(error)) from None
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                problem = f"has constants or attributes that make no sense ({' '.join(str(error).split())[:200]})"
                raise RowloomError(f"{self.subject}: {node}", problem, "need a whole file") from error
        views = []
        fixed = [port for port in self.graph.outputs if isinstance(self.values.get(port.name), Constant)]
        for port in self.graph.outputs:
            if port in fixed and len(fixed) < len(self.graph.outputs):
                # What Brevitas writes of a tensor that it returns with scale, zero point and width.
                self.builder.note((f"output {port.name}",), None, "a constant, left out")
                continue
            try:
                views.append(output_view(self, port))
            except Misfit as misfit:
                raise RowloomError(f"{self.subject}: output {port.name}", str(misfit)) from None
        if not self.binding.bound or self.spec is None:
            raise RowloomError(self.subject, "its input feeds no layer", "need a quantized network")
        about: dict[str, str | float] = {"format": "ONNX", "opset": self.graph.opset}
        if self.graph.producer:
            about["producer"] = self.graph.producer
        return self.builder.finish(
            source=self.input_name,
            input_view=InputView(arrangement=self.binding.arrangement(), thresholds=self.spec.thresholds),
            output_views=views,
            about=about,
        )

    # What nodes ask for.

    @property
    def names(self) -> Mapping[str, str]:
        """The role of every atom that has one."""
        return self.binding.names

    def fail(self, node: Node, problem: str, remedy: str | None = None) -> RowloomError:
        """Return the error that names the file and the node."""
        return RowloomError(f"{self.subject}: {node}", problem, remedy)

    def signal(self, node: Node, place: int = 0) -> Signal:
        """Return an input of a node that depends on the graph's input, with what is known of its axes by now."""
        if place >= len(node.inputs) or node.inputs[place] not in self.values:
            raise self.fail(node, f"has no input {place}")
        value = self.values[node.inputs[place]]
        if isinstance(value, Constant):
            raise self.fail(node, f"its input {node.inputs[place]} is a constant", "need one that is computed")
        if isinstance(value, Joined):
            from rowloom.model.formats.onnx.nodes.joining import whole

            value = self.values[node.inputs[place]] = whole(self, value)
        if isinstance(value, Windows):
            raise self.fail(node, f"comes after {value.node}", "need a MatMul there")
        if isinstance(value, Ended):
            raise self.fail(node, f"comes after {value.endings[0].op}, which the host computes", "need that at the end")
        return self.refreshed(value)

    def shape_of(self, node: Node) -> tuple[int, ...]:
        """Return the file's shape of the tensor that a node takes; the batch counts as 1."""
        value = self.values.get(node.inputs[0]) if node.inputs else None
        return value.shape if isinstance(value, Joined | Ended) else self.signal(node).axes.shape

    def take_map(self, node: Node, signal: Signal, order: str) -> tuple[Signal, str]:
        """Return a signal whose axes are those of a map in ``order``; the graph's input is bound to it.

        Also returned is the order in which they are: height and width may have changed places.
        """
        if signal.axes.rank != len(order):
            raise Misfit(f"takes {len(order)} axes, but its input has {signal.axes.rank}")
        self.binding.bind(signal.axes, order) if self._of_input(signal) else None
        signal = self.refreshed(signal)
        shape = dict(zip("HWC", self.map_shape(signal), strict=True))
        for found in (order, order.translate(TURNED)):
            axes = tuple((letter,) if letter == "N" or shape[letter] > 1 else () for letter in found)
            if axes == signal.axes.axes and all(size == 1 for letter, size in shape.items() if letter not in found):
                return signal, found
        raise Misfit(f"takes its input as {order}, but its axes are {_shown(signal.axes)}")

    def _of_input(self, signal: Signal) -> bool:
        return signal.carrier is None or signal.carrier.tensor == self.input_name

    def map_shape(self, signal: Signal) -> Shape:
        """Return H, W, C of a signal's map."""
        carrier = signal.carrier
        if carrier is None or carrier.tensor == self.input_name:
            if not self.binding.bound:
                self.bind_default(signal.axes)
            return self.binding.shape
        if carrier.layer is None:
            return self.builder.tensors[carrier.tensor].shape
        shape = carrier.layer.output_shape(*(self.builder.tensors[name].shape for name in carrier.layer.inputs))
        for each in carrier.deferred:
            shape = each.layer.output_shape(shape)
        return shape

    def quantized(self, signal: Signal) -> Carrier:
        """Return the carrier of a signal; RowloomError if it is the graph's floats."""
        if signal.carrier is None:
            raise RowloomError(
                self.subject,
                "its input is not quantized",
                "give --input-scale (such as 1/255) and --input-encoding (uint8)",
            )
        return signal.carrier

    def refreshed(self, signal: Signal) -> Signal:
        """Return a signal with axes and channels as they are known by now."""
        if not self.binding.bound:
            return signal
        signal = replace(signal, axes=self.binding.apply(signal.axes))
        if signal.carrier is not None and signal.carrier.tensor == self.input_name:
            signal = replace(signal, carrier=replace(signal.carrier, channels=self.binding.shape[2]))
        return signal

    def constant(self, node: Node, place: int) -> Constant | None:
        """Return an input of a node that must be constant; None if it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        value = self.values.get(node.inputs[place])
        if not isinstance(value, Constant):
            raise self.fail(node, f"its input {node.inputs[place]} is not constant", "need a constant there")
        return value

    def array(self, node: Node, place: int) -> NDArray[Any] | None:
        """Return the numbers of a constant input; None if it is left out."""
        constant = self.constant(node, place)
        return None if constant is None else constant.data

    def readers(self, name: str) -> list[Node]:
        """Return the nodes that read a tensor; an output of the graph counts as read by all."""
        if any(port.name == name for port in self.graph.outputs):
            return list(self.graph.nodes)
        if not self._readers:
            for node in self.graph.nodes:
                for each in set(node.inputs):
                    self._readers.setdefault(each, []).append(node)
        return self._readers.get(name, [])

    def peeked(self, name: str) -> NDArray[Any] | None:
        """Return a constant that the walk need not have reached yet; None if it is none."""
        value = self.values.get(name)
        if value is None:
            source = next((each for each in self.graph.nodes if name in each.outputs), None)
            if source is None or source.kind != "Constant" or not self._fold(source):
                return None
            value = self.values.get(name)
        return value.data if isinstance(value, Constant) else None

    def set(self, node: Node, value: Value, place: int = 0) -> None:
        """Say what an output of a node is."""
        if place < len(node.outputs) and node.outputs[place]:
            self.values[node.outputs[place]] = value

    def layer_name(self, stem: str) -> str:
        """Return ``stem`` and its number."""
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}{self.counts[stem]}"

    # Carriers.

    def stored(self, tensor: str, unit: Numbers, offset: Numbers) -> Carrier:
        """Return the carrier of a tensor of the network."""
        encoding = self.encoding(tensor)
        if tensor == self.input_name:
            channels = self.binding.shape[2] if self.binding.bound else 1
        else:
            channels = self.builder.tensors[tensor].shape[2]
        return Carrier(
            tensor=tensor, unit=unit, offset=offset, lows=(encoding.min,), highs=(encoding.max,), channels=channels
        )

    def summed(self, layer: SummingLayer, unit: Numbers, offset: Numbers) -> Carrier:
        """Return the carrier of a layer's sums."""
        from rowloom.model.bounds import check_width, sum_bounds

        sources = [self.builder.tensors[name] for name in layer.inputs]
        shapes = [source.shape for source in sources]
        channels = layer.output_shape(*shapes)[2]
        lows, highs = sum_bounds(layer, shapes, [source.encoding for source in sources])
        check_width(layer.name, min(lows), max(highs))
        return Carrier(
            tensor=layer.output,
            unit=unit,
            offset=offset,
            lows=tuple(lows),
            highs=tuple(highs),
            channels=channels,
            layer=layer,
        )

    def encoding(self, tensor: str) -> Encoding:
        """Return the encoding of a tensor of the network, the input too before it is placed."""
        if tensor == self.input_name:
            assert self.spec is not None
            return self.spec.encoding
        return self.builder.tensors[tensor].encoding

    def placed(self, tensor: str) -> str:
        """Return the tensor's name, once it is in the network."""
        if tensor == self.input_name and tensor not in self.builder.tensors:
            assert self.spec is not None
            if not self.binding.bound:
                self.bind_default(self.binding.axes)
            self.builder.place(tensor, self.binding.shape, self.spec.encoding, self.scale_of(self.spec.unit))
        return tensor

    def scale_of(self, unit: Numbers) -> float | None:
        """Return the scale that a tensor is given: the unit, if there is one."""
        return float(unit[0]) if len(unit) == 1 and 0 < float(unit[0]) < float("inf") else None

    # The input.

    def bind_default(self, axes: Axes) -> None:
        """Take the axes of a tensor for those that its rank usually has."""
        if axes.rank not in DEFAULT_ORDERS:
            raise Misfit(f"has {axes.rank} axes, where 2 to 4 are needed")
        self.binding.bind(axes, DEFAULT_ORDERS[axes.rank])

    def bind_channels(self, axes: Axes, parameter: Parameter) -> None:
        """Take the axis along which a parameter differs for the channels, if nothing has told them yet."""
        if parameter.atoms and not self.binding.bound:
            last = axes.rank > 2 and axes.axes[-1] == parameter.atoms
            self.binding.bind(axes, {3: "NWC", 4: "NHWC"}[axes.rank]) if last else self.bind_default(axes)

    def set_input(self, spec: InputSpec, node: str) -> None:
        """Say what codes the input has; a second quantizer must agree."""
        if self.spec is not None:
            agree = (self.spec.encoding, self.spec.unit) == (spec.encoding, spec.unit) and np.array_equal(
                np.asarray(self.spec.thresholds), np.asarray(spec.thresholds)
            )
            if not agree:
                raise Misfit(f"quantizes the input in another way than a node before {node}")
        self.spec = spec

    def _input_port(self) -> Port:
        if len(self.graph.inputs) != 1:
            raise RowloomError(self.subject, f"has {len(self.graph.inputs)} inputs", "need one")
        if not self.graph.outputs:
            raise RowloomError(self.subject, "has no output", "need at least one")
        return self.graph.inputs[0]

    def _input_shape(self, port: Port) -> list[int]:
        if not 2 <= len(port.shape) <= 4:
            raise RowloomError(
                f"{self.subject}: input {port.name}", f"has {len(port.shape)} axes", "need a batch and 1 to 3 others"
            )
        if any(size is None or not 1 <= size < 1 << 31 for size in port.shape[1:]):
            shown = ", ".join("?" if size is None else str(size) for size in port.shape)
            raise RowloomError(
                f"{self.subject}: input {port.name}",
                f"has shape ({shown})",
                "need sizes that are fixed, but for the batch",
            )
        return [1, *(size for size in port.shape[1:] if size is not None)]

    def _begin(self, port: Port, scale: Fraction | None, encoding: Encoding | None) -> None:
        for name, data in self.graph.constants.items():
            self.values[name] = Constant.of(data)
        carrier = None
        if port.type in INTEGERS:
            if scale is not None or encoding is not None:
                raise RowloomError(
                    f"{self.subject}: input {port.name}",
                    "is of integers",
                    "leave --input-scale and --input-encoding out",
                )
            self.spec = InputSpec(encoding=uniform_between(*INTEGERS[port.type]), unit=(Fraction(1),))
            carrier = self.stored(self.input_name, (Fraction(1),), (Fraction(0),))
        elif port.type not in FLOATS:
            raise RowloomError(f"{self.subject}: input {port.name}", f"is {port.type}", "need floats or small integers")
        elif scale is not None or encoding is not None:
            if scale is None or encoding is None:
                missing = "--input-scale" if scale is None else "--input-encoding"
                raise RowloomError(missing, "is missing", "give --input-scale and --input-encoding together")
            self.spec = InputSpec(encoding=encoding, unit=(scale,))
            carrier = self.stored(self.input_name, (scale,), (Fraction(0),))
        self.values[port.name] = Signal(axes=self.binding.axes, carrier=carrier)

    def _fold(self, node: Node) -> bool:
        """Compute a node beforehand if it depends on constants, or on a shape, only."""
        known: list[Constant | None] = []
        for place, name in enumerate(node.inputs):
            value = self.values.get(name) if name else None
            if isinstance(value, Signal | Joined | Windows | Ended) and (node.kind, place) == ("CastLike", 1):
                value = Constant(np.zeros((), np.float32))
            if isinstance(value, Signal | Joined | Windows | Ended):
                if node.kind not in ("Shape", "Size") or isinstance(value, Windows):
                    return False
                shape = self.refreshed(value).axes.shape if isinstance(value, Signal) else value.shape
                value = Constant(np.array(shape, np.int64))
            known.append(value)
        if any(value is None and name for value, name in zip(known, node.inputs, strict=True)):
            return False
        results = fold(self, node, known)
        for place, result in enumerate(results):
            self.set(node, result, place)
        return True


Handler = Callable[[Importer, Node], None]


def _shown(axes: Axes) -> str:
    return ", ".join(" ".join(axis) or "1" for axis in axes.axes)
