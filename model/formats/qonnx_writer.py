"""A network as a QONNX graph, whose float32 arithmetic on integers is exact.

Every tensor of the graph holds values, N x C x H x W, as whole float32 numbers below 2^24. Weights go through Quant or
BipolarQuant, so that their widths are told; post-operations and tables of codes are MultiThreshold.
"""

from functools import singledispatchmethod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from rowloom.model.bounds import signed_bits, sum_bounds
from rowloom.model.encodings import Binary, Encoding, Ternary, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import (
    Add,
    ArgMax,
    AveragePool2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    DepthToSpace,
    Layer,
    Linear,
    MaxPool2d,
    SummingLayer,
    Upsample,
)
from rowloom.model.network import Network
from rowloom.model.operation import Operation
from rowloom.model.rewrites.multiples import multipliers, with_multiples
from rowloom.model.rewrites.tables import with_thresholds
from rowloom.model.rewrites.thresholds import thresholds_of

DOMAIN = "qonnx.custom_op.general"
OPSET = 13
EXACT = 1 << 24
"""Below this magnitude every integer is a float32."""


def to_qonnx(network: Network) -> onnx.ModelProto:
    """Return the graph.

    Its input is the network's, in real numbers if it has a scale, else in values; its outputs are values.

    Raises
    ------
    RowloomError
        If a layer cannot be told in QONNX, or its sums reach 2^24.
    """
    return _Writer(with_multiples(with_thresholds(network, straight=network.outputs))).model()


class _Writer:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[str, str] = {}

    def model(self) -> onnx.ModelProto:
        tensor = self.network.tensor(self.network.input)
        height, width, channels = tensor.shape
        source = "global_in"
        if tensor.scale is not None:
            source = self.node("Div", source, self.constant(np.float32(tensor.scale)))
        self.names[tensor.name] = self.quantized(source, tensor.encoding, tensor.name)
        for layer in self.network.layers:
            self.names[layer.output] = self.write(layer)
        outputs = []
        for index, name in enumerate(self.network.outputs):
            shown = "global_out" if len(self.network.outputs) == 1 else f"global_out_{index}"
            self.nodes.append(helper.make_node("Identity", [self.names[name]], [shown], name=f"output_{index}"))
            shape = self.network.tensor(name).shape
            kind = TensorProto.INT64 if self._is_index(name) else TensorProto.FLOAT
            outputs.append(helper.make_tensor_value_info(shown, kind, [1, shape[2], shape[0], shape[1]]))
        graph = helper.make_graph(
            self.nodes,
            self.network.name,
            [helper.make_tensor_value_info("global_in", TensorProto.FLOAT, [1, channels, height, width])],
            outputs,
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="rowloom")

    def _is_index(self, name: str) -> bool:
        return any(isinstance(layer, ArgMax) and layer.output == name for layer in self.network.layers)

    # Parts.

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def quantized(self, source: str, encoding: Encoding, subject: str) -> str:
        """Append the quantizer of an encoding with a scale of 1."""
        if isinstance(encoding, Binary):
            return self.node("BipolarQuant", source, self.constant(1.0), domain=DOMAIN)
        if isinstance(encoding, Ternary):
            bits, signed, narrow, point = 2, 1, 1, 0
        elif isinstance(encoding, Uniform):
            bits, signed, narrow, point = encoding.bits, int(encoding.signed), 0, encoding.zero_point
        else:
            raise RowloomError(subject, f"{encoding} cannot be told in QONNX", "need uniform, ternary or binary codes")
        inputs = [self.constant(each) for each in (1.0, float(point), float(bits))]
        return self.node("Quant", source, *inputs, domain=DOMAIN, signed=signed, narrow=narrow, rounding_mode="ROUND")

    def weights(self, layer: Conv2d | Linear, values: NDArray[np.int64]) -> str:
        """Append weights [M, C, R, S] or [K, M] behind a quantizer that tells their width."""
        source = self.constant(values)
        if isinstance(layer.weight_encoding, Binary | Ternary | Uniform):
            return self.quantized(source, layer.weight_encoding, layer.name)
        width = signed_bits(layer.weight_encoding.min, layer.weight_encoding.max)
        return self.quantized(source, Uniform(bits=width, signed=True), layer.name)

    def finished(self, layer: SummingLayer, source: str, *, near: bool = False) -> str:
        """Append the post-operation of a layer; ``near`` if what comes in is only within a half of its sums."""
        tensor = self.network.tensor(layer.output)
        sources = [self.network.tensor(name) for name in layer.inputs]
        lows, highs = sum_bounds(layer, [each.shape for each in sources], [each.encoding for each in sources])
        if max(map(abs, (*lows, *highs))) >= EXACT:
            raise RowloomError(layer.name, "its sums reach 2^24", "must be less to be exact in QONNX's float32")
        if layer.post is None:
            return source
        thresholds, direction = thresholds_of(layer, (lows, highs), tensor.encoding)
        if (direction < 0).any():
            source = self.node("Mul", source, self.constant(direction.reshape(1, -1, 1, 1)))
        falls = (direction < 0)[:, None]
        ends = np.array([lows, highs])[..., None]
        least, most = np.where(falls, -ends[::-1], ends)
        repeats, scale, bias, kind = _levels(layer.name, tensor.encoding)
        values = np.repeat(np.clip(thresholds, least, most + 1), repeats, axis=1)
        return self.node(
            *("MultiThreshold", source, self.constant(values - 0.5 if near else values)),
            domain=DOMAIN,
            out_scale=scale,
            out_bias=bias,
            out_dtype=kind,
            data_layout="NCHW",
        )

    # Layers.

    @singledispatchmethod
    def write(self, layer: Layer) -> str:
        """Append a layer; return the name of its output."""
        raise RowloomError(layer.name, f"{layer.op} cannot be told in QONNX")

    @write.register
    def _(self, layer: Conv2d) -> str:
        source = self._multiplied(layer)
        values = layer.weight_encoding.decode(layer.weights)
        top, bottom, left, right = layer.padding
        pads = [top, left, bottom, right]
        if layer.pad_value and any(pads):
            amounts = self.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
            source = self.node("Pad", source, amounts, self.constant(float(layer.pad_value)))
            pads = [0, 0, 0, 0]
        inputs = [source, self.weights(layer, values.transpose(0, 3, 1, 2))]
        if layer.bias is not None:
            inputs.append(self.constant(layer.bias))
        result = self.node(
            *("Conv", *inputs),
            kernel_shape=list(values.shape[1:3]),
            strides=list(layer.stride),
            dilations=list(layer.dilation),
            pads=pads,
            group=layer.groups,
        )
        return self.finished(layer, result)

    @write.register
    def _(self, layer: Linear) -> str:
        source = self.node("Flatten", self._multiplied(layer), axis=1)
        values = layer.weight_encoding.decode(layer.weights).transpose(0, 3, 1, 2).reshape(layer.out_channels, -1)
        result = self.node("MatMul", source, self.weights(layer, values.T))
        if layer.bias is not None:
            result = self.node("Add", result, self.constant(layer.bias))
        shape = self.constant([1, layer.out_channels, 1, 1], np.int64)
        return self.finished(layer, self.node("Reshape", result, shape))

    def _multiplied(self, layer: Conv2d | Linear) -> str:
        if layer.operation is not Operation.MULTIPLY:
            raise RowloomError(layer.name, "sums distances, which cannot be told in QONNX", "need products")
        return self.names[layer.input]

    @write.register
    def _(self, layer: MaxPool2d) -> str:
        top, bottom, left, right = layer.padding
        window: dict[str, Any] = {"kernel_shape": list(layer.kernel), "strides": list(layer.stride)}
        return self.node("MaxPool", self.names[layer.input], pads=[top, left, bottom, right], **window)

    @write.register
    def _(self, layer: AveragePool2d) -> str:
        top, bottom, left, right = layer.padding
        source = self.network.tensor(layer.input)
        result = self.node(
            *("AveragePool", self.names[layer.input]),
            kernel_shape=list(layer.kernel),
            strides=list(layer.stride),
            pads=[top, left, bottom, right],
            count_include_pad=int(layer.count_include_pad),
        )
        result = self.node("Mul", result, self.constant(float(layer.scale(source.shape))))
        # The average is no float32, but its product is within a half of the sum.
        if layer.post is None:
            lows, highs = sum_bounds(layer, [source.shape], [source.encoding])
            sums = Uniform(bits=signed_bits(min(lows), max(highs)) + 1, signed=True)
            result = self.quantized(result, sums, layer.name)
        if layer.bias is not None:
            result = self.node("Add", result, self.constant(layer.bias.reshape(1, -1, 1, 1)))
        return self.finished(layer, result, near=True)

    @write.register
    def _(self, layer: Add) -> str:
        scaled = multipliers(layer, [self.network.tensor(name).encoding for name in layer.inputs])
        assert scaled is not None, "tables were rewritten"
        factors, constant = scaled
        parts = [
            self.names[name] if factor == 1 else self.node("Mul", self.names[name], self.constant(float(factor)))
            for name, factor in zip(layer.inputs, factors, strict=True)
        ]
        result = parts[0]
        for part in parts[1:]:
            result = self.node("Add", result, part)
        bias = constant + (0 if layer.bias is None else layer.bias.reshape(1, -1, 1, 1))
        if np.any(bias):
            result = self.node("Add", result, self.constant(bias))
        return self.finished(layer, result)

    @write.register
    def _(self, layer: Concat) -> str:
        return self.node("Concat", *(self.names[name] for name in layer.inputs), axis=1)

    @write.register
    def _(self, layer: Upsample) -> str:
        factors = self.constant([1, 1, layer.factor, layer.factor])
        modes = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return self.node("Resize", self.names[layer.input], self.constant(np.zeros(0)), factors, **modes)

    @write.register
    def _(self, layer: DepthToSpace) -> str:
        return self.node("DepthToSpace", self.names[layer.input], blocksize=layer.block, mode=layer.mode)

    @write.register
    def _(self, layer: ChannelShuffle) -> str:
        height, width, channels = self.network.tensor(layer.input).shape
        split = self.constant([1, layer.groups, channels // layer.groups, height, width], np.int64)
        turned = self.node("Transpose", self.node("Reshape", self.names[layer.input], split), perm=[0, 2, 1, 3, 4])
        return self.node("Reshape", turned, self.constant([1, channels, height, width], np.int64))

    @write.register
    def _(self, layer: ArgMax) -> str:
        return self.node("ArgMax", self.names[layer.input], axis=1, keepdims=1)


def _levels(name: str, encoding: Encoding) -> tuple[NDArray[np.int64], float, float, str]:
    """Return how often each threshold counts, scale and bias that make values of counts, and FINN's name of their type.

    Counts make values that are equally spaced; where an encoding leaves some out, several thresholds are one.
    """
    steps = np.diff(encoding.every_value)
    if (steps <= 0).any():
        raise RowloomError(name, f"gives {encoding}, which cannot be told in QONNX", "need values that rise with codes")
    scale = int(np.gcd.reduce(steps))
    if isinstance(encoding, Binary):
        kind = "BIPOLAR"
    elif isinstance(encoding, Ternary):
        kind = "TERNARY"
    elif encoding.min >= 0:
        kind = f"UINT{max(1, encoding.max.bit_length())}"
    else:
        kind = f"INT{signed_bits(encoding.min, encoding.max)}"
    return steps // scale, float(scale), float(encoding.min), kind
