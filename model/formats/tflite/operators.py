"""Every operator that is supported, by its name in the TFLite schema."""

from rowloom.model.formats.tflite.elementwise import add, quantize, relu
from rowloom.model.formats.tflite.importer import Handler
from rowloom.model.formats.tflite.pools import average_pool, max_pool, mean
from rowloom.model.formats.tflite.shapes import arg_max, concatenation, dequantize, pad, reshape, softmax
from rowloom.model.formats.tflite.weighted import convolution, depthwise, fully_connected

OPERATORS: dict[str, Handler] = {
    "ADD": add,
    "ARG_MAX": arg_max,
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEQUANTIZE": dequantize,
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "PAD": pad,
    "PADV2": pad,
    "QUANTIZE": quantize,
    "RELU": relu,
    "RELU6": relu,
    "RELU_N1_TO_1": relu,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "SQUEEZE": reshape,
}
