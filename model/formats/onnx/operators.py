"""Every node that is supported, by domain and name."""

from collections.abc import Callable

from rowloom.model.formats.onnx.folding import Constant
from rowloom.model.formats.onnx.importer import Handler, Importer
from rowloom.model.formats.onnx.nodes.activations import curve_node, function_node, hard_sigmoid_node, swish_node
from rowloom.model.formats.onnx.nodes.arithmetic import (
    add_node,
    clip_node,
    identity_node,
    leaky_node,
    multiply_node,
    negate_node,
    norm_node,
)
from rowloom.model.formats.onnx.nodes.constant_quant import constant_bipolar, constant_float_quant, constant_quant
from rowloom.model.formats.onnx.nodes.ends import argmax_node, host_node, softmax_node, topk_node
from rowloom.model.formats.onnx.nodes.filling import fill_inputs
from rowloom.model.formats.onnx.nodes.finn import (
    max_pool_last_node,
    quant_average_node,
    windows_matmul_node,
    windows_node,
    xnor_node,
)
from rowloom.model.formats.onnx.nodes.joining import concat_node
from rowloom.model.formats.onnx.nodes.linear_quant import (
    DECOMPOSED,
    LINEAR,
    MICROSOFT,
    constant_decomposed,
    constant_dequantize,
    constant_quantize,
    decomposed_node,
    dequantize_linear_node,
    quantize_linear_node,
)
from rowloom.model.formats.onnx.nodes.parts import by_parts
from rowloom.model.formats.onnx.nodes.pools import (
    average_pool_node,
    global_average_node,
    global_max_node,
    max_pool_node,
    reduce_node,
)
from rowloom.model.formats.onnx.nodes.quant_nodes import (
    bipolar_node,
    float_quant_node,
    multi_threshold_node,
    quant_node,
    sign_node,
)
from rowloom.model.formats.onnx.nodes.shapes import (
    depth_to_space_node,
    pad_node,
    reshape_node,
    resize_node,
    squeeze_node,
    transpose_node,
)
from rowloom.model.formats.onnx.nodes.transposed import conv_transpose_node
from rowloom.model.formats.onnx.nodes.truncation import trunc_node
from rowloom.model.formats.onnx.nodes.weighted import CHANNELS_LAST, conv_node, gemm_node, matmul_node
from rowloom.model.formats.onnx.reader import Node
from rowloom.model.formats.onnx.signal import Ended, Windows

QUANTIZERS = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general", "qonnx.custom_op.general.v1")
"""Domains of QONNX's own nodes."""

STANDARD: dict[str, Handler] = {
    "Abs": function_node,
    "Add": add_node,
    "ArgMax": argmax_node,
    "ArgMin": argmax_node,
    "AveragePool": average_pool_node,
    "BatchNormalization": norm_node,
    "Cast": identity_node,
    "CastLike": identity_node,
    "Ceil": function_node,
    "Celu": curve_node,
    "Clip": clip_node,
    "Concat": concat_node,
    "Conv": conv_node,
    "ConvTranspose": conv_transpose_node,
    "DepthToSpace": depth_to_space_node,
    "DequantizeLinear": dequantize_linear_node,
    "Div": multiply_node,
    "Dropout": identity_node,
    "Elu": curve_node,
    "Erf": curve_node,
    "Exp": curve_node,
    "Flatten": reshape_node,
    "Floor": function_node,
    "Gelu": swish_node,
    "Gemm": gemm_node,
    "GlobalAveragePool": global_average_node,
    "GlobalMaxPool": global_max_node,
    "HardSigmoid": hard_sigmoid_node,
    "HardSwish": swish_node,
    "Identity": identity_node,
    "LeakyRelu": leaky_node,
    "LogSoftmax": softmax_node,
    "MatMul": matmul_node,
    "MaxPool": max_pool_node,
    "Mish": swish_node,
    "Mul": multiply_node,
    "Neg": negate_node,
    "PRelu": leaky_node,
    "Pad": pad_node,
    "QuantizeLinear": quantize_linear_node,
    "ReduceMax": reduce_node,
    "ReduceMean": reduce_node,
    "ReduceSum": reduce_node,
    "Relu": clip_node,
    "Reshape": reshape_node,
    "Resize": resize_node,
    "Round": function_node,
    "Selu": curve_node,
    "Sigmoid": curve_node,
    "Sign": sign_node,
    "Softmax": softmax_node,
    "Softplus": curve_node,
    "Softsign": curve_node,
    "Squeeze": squeeze_node,
    "Sub": add_node,
    "Sum": add_node,
    "Swish": swish_node,
    "Tanh": curve_node,
    "ThresholdedRelu": function_node,
    "TopK": topk_node,
    "Transpose": transpose_node,
    "Unsqueeze": squeeze_node,
    "Upsample": resize_node,
}

QONNX: dict[str, Handler] = {
    "BipolarQuant": bipolar_node,
    "DebugMarker": identity_node,
    "FloatQuant": float_quant_node,
    "Im2Col": windows_node,
    "IntQuant": quant_node,
    "MaxPoolNHWC": max_pool_last_node,
    "MultiThreshold": multi_threshold_node,
    "Quant": quant_node,
    "QuantAvgPool2d": quant_average_node,
    "Trunc": trunc_node,
    "XnorPopcountMatMul": xnor_node,
}

LAST: dict[str, Handler] = {"BatchNormalization": norm_node, "Conv": conv_node, "MaxPool": max_pool_node}

ConstantHandler = Callable[[Importer, Node, list[Constant | None]], Constant]

_ON_CONSTANTS: dict[str, ConstantHandler] = {
    "BipolarQuant": constant_bipolar,
    "FloatQuant": constant_float_quant,
    "IntQuant": constant_quant,
    "Quant": constant_quant,
}

_LINEAR_ON_CONSTANTS: dict[str, ConstantHandler] = {
    "DequantizeLinear": constant_dequantize,
    "QuantizeLinear": constant_quantize,
}


def handler(importer: Importer, node: Node) -> Handler:
    """Return what imports a node; RowloomError that says what is supported if nothing does."""
    if node.inputs and isinstance(importer.values.get(node.inputs[0]), Ended):
        return host_node
    if node.kind == "MatMul" and isinstance(importer.values.get(node.inputs[0]), Windows):
        return windows_matmul_node
    fill_inputs(importer, node)
    each = by_parts(importer, node)
    if each is not None:
        return each
    if node.domain == MICROSOFT and node.kind in _LINEAR_ON_CONSTANTS:
        return STANDARD[node.kind]
    table = STANDARD if not node.domain else QONNX if node.domain in QUANTIZERS else {}
    if node.domain in CHANNELS_LAST:
        table = LAST
    if node.domain == DECOMPOSED:
        table = {"HardSwish": swish_node, "Quantize": decomposed_node}
    if node.kind in table:
        return table[node.kind]
    known = ", ".join(sorted({*STANDARD, *QONNX}))
    domain = f" of domain {node.domain}" if node.domain else ""
    raise importer.fail(node, f"operator{domain} is not supported", f"supported: {known}")


def constant_quantizer(node: Node) -> ConstantHandler | None:
    """Return what a quantizer does to constants; None for other nodes."""
    if node.domain in QUANTIZERS:
        return _ON_CONSTANTS.get(node.kind)
    if node.domain == DECOMPOSED:
        return {"Quantize": constant_decomposed, "QuantizeChannels": constant_decomposed}.get(node.kind)
    return None if node.domain not in LINEAR else _LINEAR_ON_CONSTANTS.get(node.kind)
