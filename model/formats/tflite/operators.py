"""Every operator that is supported, by its name in the TFLite schema."""

from rowloom.model.formats.tflite.elementwise import add, mul
from rowloom.model.formats.tflite.ends import arg_max, dequantize, log_softmax, softmax
from rowloom.model.formats.tflite.functions import elu, hard_swish, leaky_relu, logistic, quantize, relu, tanh
from rowloom.model.formats.tflite.importer import Handler
from rowloom.model.formats.tflite.pools import average_pool, max_pool, mean, reduce_max
from rowloom.model.formats.tflite.shapes import concatenation, pad, reshape, transpose
from rowloom.model.formats.tflite.slices import gather, slice_, split, split_v, strided_slice
from rowloom.model.formats.tflite.squares import depth_to_space, resize, space_to_depth
from rowloom.model.formats.tflite.weighted import convolution, depthwise, fully_connected

OPERATORS: dict[str, Handler] = {
    "ADD": add,
    "ARG_MAX": arg_max,
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "DEPTH_TO_SPACE": depth_to_space,
    "DEQUANTIZE": dequantize,
    "ELU": elu,
    "EXPAND_DIMS": reshape,
    "FULLY_CONNECTED": fully_connected,
    "GATHER": gather,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": logistic,
    "LOG_SOFTMAX": log_softmax,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "MUL": mul,
    "PAD": pad,
    "PADV2": pad,
    "QUANTIZE": quantize,
    "REDUCE_MAX": reduce_max,
    "RELU": relu,
    "RELU6": relu,
    "RELU_0_TO_1": relu,
    "RELU_N1_TO_1": relu,
    "RESHAPE": reshape,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "SLICE": slice_,
    "SOFTMAX": softmax,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "SUB": add,
    "TANH": tanh,
    "TRANSPOSE": transpose,
}
