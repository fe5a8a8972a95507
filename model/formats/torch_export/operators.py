"""Every operator of torch that is supported: layers, functions of single numbers, quantizers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.nodes.linear_quant import DECOMPOSED
from rowloom.model.formats.torch_export import moves, windowed
from rowloom.model.formats.torch_export.program import Call
from rowloom.model.formats.torch_export.writer import Writer

Write = Callable[[Writer, Call], None]

FLOAT32 = (7, "torch.float32")
"""As a file and as torch itself names it."""


def _quantize(writer: Writer, call: Call) -> None:
    writer.add(
        call,
        *("Quantize", writer.tensor(call, 0, "input")),
        domain=DECOMPOSED,
        scale=writer.number(call, 1, "scale"),
        zero_point=int(writer.number(call, 2, "zero_point")),
        low=int(call.needed(3, "quant_min")),
        high=int(call.needed(4, "quant_max")),
    )


def _quantize_channels(writer: Writer, call: Call) -> None:
    """Of weights, which torch multiplies by the reciprocals of their scales."""
    writer.add(
        call,
        "QuantizeChannels",
        *(writer.tensor(call, place, name) for place, name in enumerate(("input", "scales", "zero_points"))),
        domain=DECOMPOSED,
        axis=int(call.needed(3, "axis")),
        low=int(call.needed(4, "quant_min")),
        high=int(call.needed(5, "quant_max")),
    )


def _dequantize(writer: Writer, call: Call) -> None:
    low, high = int(call.needed(3, "quant_min")), int(call.needed(4, "quant_max"))
    kinds = (np.int8, np.uint8, np.int16, np.uint16, np.int32)
    dtype = next((kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), None)
    point = int(writer.number(call, 2, "zero_point"))
    if dtype is None or not np.iinfo(np.int32).min <= point <= np.iinfo(np.int32).max:
        raise Misfit(f"has integers from {low} to {high} and a zero point of {point}")
    # A zero point beyond the integers keeps a wider type.
    fits = np.iinfo(dtype).min <= point <= np.iinfo(dtype).max
    scale = writer.constant(call, "scale", writer.number(call, 1, "scale"), np.float32)
    zero = writer.constant(call, "zero_point", point, dtype if fits else np.int32)
    writer.add(call, "DequantizeLinear", writer.tensor(call, 0, "input"), scale, zero)


def _dequantize_channels(writer: Writer, call: Call) -> None:
    scales, points = writer.tensor(call, 1, "scales"), call.get(2, "zero_points")
    if scales not in writer.constants or (points is not None and points not in writer.constants):
        raise Misfit("has scales that are computed, where constants are needed")
    inputs = [writer.constant(call, "scales", writer.constants[scales], np.float32)]
    if points is not None:
        inputs.append(writer.constant(call, "zero_points", np.rint(writer.constants[points]), np.int64))
    writer.add(call, "DequantizeLinear", writer.tensor(call, 0, "input"), *inputs, axis=int(call.needed(3, "axis")))


def _linear(writer: Writer, call: Call) -> None:
    bias = call.get(2, "bias")
    inputs = [writer.tensor(call, 0, "input"), writer.tensor(call, 1, "weight"), *([bias] if bias else [])]
    writer.add(call, "Gemm", *inputs, transB=1)


def _addmm(writer: Writer, call: Call) -> None:
    bias, x, weight = (writer.tensor(call, place, name) for place, name in enumerate(("self", "mat1", "mat2")))
    writer.add(
        *(call, "Gemm", x, weight, bias),
        alpha=float(call.get(3, "alpha", 1)),
        beta=float(call.get(4, "beta", 1)),
    )


def _matmul(writer: Writer, call: Call) -> None:
    writer.add(call, "MatMul", writer.tensor(call, 0, "self"), writer.tensor(call, 1, "mat2"))


def _norm(writer: Writer, call: Call) -> None:
    """Of an evaluated module: batch_norm has a flag before momentum and epsilon."""
    flagged = call.target == "aten.batch_norm"
    if flagged and call.get(5, "training", False):
        raise Misfit("is in training mode")
    x, mean, variance = (
        writer.tensor(call, place, name) for place, name in ((0, "input"), (3, "running_mean"), (4, "running_var"))
    )
    count = writer.shape(mean)
    gamma = call.get(1, "weight") or writer.constant(call, "weight", np.ones([n or 1 for n in count]), np.float32)
    beta = call.get(2, "bias") or writer.constant(call, "bias", np.zeros([n or 1 for n in count]), np.float32)
    epsilon = float(call.needed(7 if flagged else 6, "eps"))
    writer.add(call, "BatchNormalization", x, gamma, beta, mean, variance, epsilon=epsilon)


def _binary(kind: str) -> Write:
    def write(writer: Writer, call: Call) -> None:
        if call.get(2, "alpha", 1) != 1 or call.get(2, "rounding_mode"):
            raise Misfit("has an alpha or a rounding mode, where none is needed")
        writer.add(call, kind, writer.operand(call, 0, "self"), writer.operand(call, 1, "other"))

    return write


def _reversed(writer: Writer, call: Call) -> None:
    if call.get(2, "alpha", 1) != 1:
        raise Misfit("has an alpha, where none is needed")
    writer.add(call, "Sub", writer.operand(call, 1, "other"), writer.operand(call, 0, "self"))


def _clip(writer: Writer, call: Call) -> None:
    six, tanh = "relu6" in call.target, "hardtanh" in call.target
    defaults = (0.0, 6.0) if six else (-1.0, 1.0) if tanh else (None, None)
    names = ("min_val", "max_val") if tanh else ("min", "max")
    if call.target == "aten.clamp_max":
        limits = [None, call.needed(1, "max")]
    else:
        limits = [call.get(place + 1, names[place], defaults[place]) for place in range(2)]
    given = zip(("min", "max"), limits, strict=True)
    attributes: dict[str, Any] = {name: float(limit) for name, limit in given if limit is not None}
    writer.add(call, "Clip", writer.tensor(call, 0, "self"), **attributes)


def _leaky(writer: Writer, call: Call) -> None:
    writer.add(call, "LeakyRelu", writer.tensor(call, 0, "self"), alpha=float(call.get(1, "negative_slope", 0.01)))


def _prelu(writer: Writer, call: Call) -> None:
    """A slope for each channel, the second axis."""
    x, slope = writer.tensor(call, 0, "self"), writer.tensor(call, 1, "weight")
    if slope not in writer.constants:
        raise Misfit("has a slope that is computed, where a constant is needed")
    values = writer.constants[slope].reshape(-1)
    shape = (-1, *(1,) * max(writer.rank(x) - 2, 0)) if values.size > 1 else ()
    writer.add(call, "PRelu", x, writer.constant(call, "slope", values.reshape(shape), np.float32))


def _elu(writer: Writer, call: Call) -> None:
    if call.get(2, "scale", 1) != 1 or call.get(3, "input_scale", 1) != 1:
        raise Misfit("has scales, where none is needed")
    writer.add(call, "Elu", writer.tensor(call, 0, "self"), alpha=float(call.get(1, "alpha", 1.0)))


def _gelu(writer: Writer, call: Call) -> None:
    how = str(call.get(1, "approximate", "none"))
    writer.add(call, "Gelu", writer.tensor(call, 0, "self"), approximate=how)


def _hard_sigmoid(writer: Writer, call: Call) -> None:
    """min(max(x + 3, 0), 6) / 6."""
    x = writer.tensor(call, 0, "self")
    shifted = writer.add(call, "Add", x, writer.constant(call, "3", 3, np.float32), output=f"{call.name}.shifted")
    clipped = writer.add(call, "Clip", shifted, min=0.0, max=6.0, output=f"{call.name}.clipped")
    writer.add(call, "Div", clipped, writer.constant(call, "6", 6, np.float32))


def _function(kind: str, domain: str = "", **attributes: Any) -> Write:
    def write(writer: Writer, call: Call) -> None:
        writer.add(call, kind, writer.tensor(call, 0, "self"), domain=domain, **attributes)

    return write


def _to_float(writer: Writer, call: Call) -> None:
    """A change of type, to floats."""
    wanted = call.get(1, "dtype")
    if wanted is not None and wanted not in FLOAT32 and str(wanted) not in FLOAT32:
        raise Misfit(f"casts to {wanted}, where float32 is needed")
    writer.add(call, "Identity", writer.tensor(call, 0, "self"))


def _softmax(kind: str) -> Write:
    def write(writer: Writer, call: Call) -> None:
        writer.add(call, kind, writer.tensor(call, 0, "self"), axis=int(call.needed(1, "dim")))

    return write


def _argmax(writer: Writer, call: Call) -> None:
    axis, kept = int(call.needed(1, "dim")), int(call.get(2, "keepdim", False))
    writer.add(call, "ArgMax", writer.tensor(call, 0, "self"), axis=axis, keepdims=kept)


def _item(writer: Writer, call: Call) -> None:
    """The first of several results: of the others nothing is known."""
    if call.needed(1, "index") == 0:
        writer.add(call, "Identity", writer.tensor(call, 0, "self"))


SKIPPED = {
    "aten._assert_tensor_metadata",
    "aten._assert_scalar",
    "aten.sym_constrain_range_for_size",
    "aten.sym_size.int",
    "_guards_fn",
    "eq",
    "ge",
    "le",
    "mul",
    "add",
}
"""What says something about sizes only."""

CALLS: dict[str, Write] = {
    **windowed.CALLS,
    **moves.CALLS,
    "_operator.getitem": _item,
    "aten._prelu_kernel": _prelu,
    "aten._log_softmax": _softmax("LogSoftmax"),
    "aten._native_batch_norm_legit_no_training": _norm,
    "aten._softmax": _softmax("Softmax"),
    "aten._to_copy": _to_float,
    "aten.add.Scalar": _binary("Add"),
    "aten.add.Tensor": _binary("Add"),
    "aten.add_.Tensor": _binary("Add"),
    "aten.addmm": _addmm,
    "aten.argmax": _argmax,
    "aten.batch_norm": _norm,
    "aten.bmm": _matmul,
    "aten.clamp": _clip,
    "aten.clamp_": _clip,
    "aten.clamp_max": _clip,
    "aten.clamp_min": _clip,
    "aten.div.Scalar": _binary("Div"),
    "aten.div.Tensor": _binary("Div"),
    "aten.div_.Tensor": _binary("Div"),
    "aten.elu": _elu,
    "aten.elu_": _elu,
    "aten.gelu": _gelu,
    "aten.hardsigmoid": _hard_sigmoid,
    "aten.hardsigmoid_": _hard_sigmoid,
    "aten.hardswish": _function("HardSwish", DECOMPOSED),
    "aten.hardswish_": _function("HardSwish", DECOMPOSED),
    "aten.hardtanh": _clip,
    "aten.hardtanh_": _clip,
    "aten.leaky_relu": _leaky,
    "aten.leaky_relu_": _leaky,
    "aten.linear": _linear,
    "aten.log_softmax.int": _softmax("LogSoftmax"),
    "aten.matmul": _matmul,
    "aten.mm": _matmul,
    "aten.mul.Scalar": _binary("Mul"),
    "aten.mul.Tensor": _binary("Mul"),
    "aten.mul_.Tensor": _binary("Mul"),
    "aten.neg": _function("Neg"),
    "aten.prelu": _prelu,
    "aten.relu": _function("Relu"),
    "aten.relu6": _clip,
    "aten.relu6_": _clip,
    "aten.relu_": _function("Relu"),
    "aten.rsub.Scalar": _reversed,
    "aten.sigmoid": _function("Sigmoid"),
    "aten.sigmoid_": _function("Sigmoid"),
    "aten.silu": _function("Swish"),
    "aten.silu_": _function("Swish"),
    "aten.softmax.int": _softmax("Softmax"),
    "aten.sub.Scalar": _binary("Sub"),
    "aten.sub.Tensor": _binary("Sub"),
    "aten.tanh": _function("Tanh"),
    "aten.tanh_": _function("Tanh"),
    "aten.to.dtype": _to_float,
    "getitem": _item,
    "quantized_decomposed.dequantize_per_channel": _dequantize_channels,
    "quantized_decomposed.dequantize_per_tensor": _dequantize,
    "quantized_decomposed.dequantize_per_tensor.tensor": _dequantize,
    "quantized_decomposed.quantize_per_channel": _quantize_channels,
    "quantized_decomposed.quantize_per_tensor": _quantize,
    "quantized_decomposed.quantize_per_tensor.tensor": _quantize,
}
"""By name; that of an overload follows it, but for ``default``."""
