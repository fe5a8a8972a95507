"""Writes the files of this folder: small QKeras networks as QONNX, and what Keras itself makes of some inputs.

Not run by any test: it needs Python 3.11 with tensorflow-cpu 2.15.1, qkeras 0.9.0, tensorflow-model-optimization 0.7.5,
pyparser 1.0, pyparsing 3.1, tf2onnx 1.16.1, onnx 1.15.0, onnxruntime 1.17.3, and qonnx 0.4.0 (qonnx 1.0 no longer has
``qonnx.converters``). That converter writes no Quant node for a QActivation of quantized_bits, binary or ternary, which
must be a layer's ``activation``, nor for a quantizer whose alpha is not 1.

    python make_qkeras.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from qkeras import QActivation, QConv1D, QConv2D, QDense, binary, quantized_bits, quantized_relu, ternary
from qonnx.converters import from_keras
from tensorflow.keras import layers
from tensorflow.keras.models import Model

NETWORKS = {}


def network(opset):
    def add(function):
        NETWORKS[function.__name__] = (function, opset)
        return function

    return add


def bits(width, integer=0):
    return quantized_bits(width, integer, alpha=1)


def relu(x, width, integer):
    return QActivation(quantized_relu(width, integer))(x)


def dense(x, count, **options):
    return QDense(count, kernel_quantizer=bits(4), bias_quantizer=bits(6, 1), **options)(x)


def conv(x, count, kernel, **options):
    return QConv2D(count, kernel, kernel_quantizer=bits(4), bias_quantizer=bits(6, 1), **options)(x)


def conv1d(x, count, kernel, **options):
    return QConv1D(count, kernel, kernel_quantizer=bits(4), bias_quantizer=bits(6, 1), **options)(x)


@network(13)
def jet_tagging():
    """The MLP of the hls4ml tutorial, narrower, with batch norms."""
    x = start = layers.Input(16)
    for count in (16, 12):
        x = relu(layers.BatchNormalization()(dense(x, count)), 6, 2)
    return Model(start, layers.Activation("softmax")(dense(x, 5)))


@network(11)
def digits():
    """A CNN with batch norms before and after pools."""
    x = start = layers.Input((14, 12, 1))
    x = relu(layers.MaxPooling2D(2)(layers.BatchNormalization()(conv(x, 5, 3, use_bias=False))), 4, 2)
    x = relu(layers.BatchNormalization()(layers.MaxPooling2D(2)(conv(x, 4, (2, 3), padding="same"))), 4, 1)
    return Model(start, dense(layers.Flatten()(x), 4))


@network(9)
def activations_of_layers():
    x = start = layers.Input((9, 8, 2))
    x = conv(relu(x, 8, 1), 4, 3, strides=2, padding="same", activation=bits(6, 3))
    x = relu(x, 4, 3)
    return Model(start, conv(x, 3, (2, 3), dilation_rate=(2, 1), activation="quantized_relu(5,3)"))


@network(17)
def branches():
    """Sums, a join, averages and their like, from one layer to the next without a quantizer."""
    x = start = layers.Input((8, 8, 2))
    x = a = relu(conv(relu(x, 8, 1), 4, 3, padding="same"), 6, 2)
    x = layers.Add()([relu(conv(x, 4, 3, padding="same"), 5, 1), a])
    x = relu(conv(layers.AveragePooling2D(2, padding="same")(x), 4, 1), 4, 2)
    x = layers.Concatenate()([x, relu(conv(layers.MaxPooling2D(2)(a), 3, 1), 5, 2)])
    x = relu(conv(layers.UpSampling2D(2)(x), 4, 3), 4, 2)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    return Model(start, layers.Softmax()(dense(x, 3)))


@network(13)
def one_dimension():
    x = start = layers.Input((16, 3))
    x = layers.MaxPooling1D(2)(relu(conv1d(x, 5, 3, padding="causal", dilation_rate=2), 5, 1))
    x = layers.AveragePooling1D(2)(relu(conv1d(x, 4, 3, padding="same"), 5, 1))
    return Model(start, dense(layers.Flatten()(relu(conv1d(x, 4, 2), 4, 2)), 3))


@network(13)
def dense_of_every_step():
    x = start = layers.Input((5, 6))
    x = relu(dense(relu(dense(x, 5), 6, 2), 4), 5, 2)
    return Model(start, dense(layers.Flatten()(x), 3))


@network(13)
def signs():
    x = start = layers.Input((7, 7, 2))
    few = {"use_bias": False}
    x = QConv2D(4, 3, kernel_quantizer=binary(alpha=1), activation=binary(alpha=1), **few)(relu(x, 6, 1))
    kind = ternary(alpha=1, threshold=0.5)
    x = QConv2D(4, 2, kernel_quantizer=kind, activation=ternary(alpha=1, threshold=0.5), **few)(x)
    x = layers.BatchNormalization()(QConv2D(4, 2, kernel_quantizer=binary(alpha=1), **few)(x))
    return Model(start, QDense(3, kernel_quantizer=kind, bias_quantizer=bits(4, 3))(layers.Flatten()(relu(x, 3, 3))))


def randomize(model, rng):
    """Give every variable numbers that reach all codes; a third of the gammas are negative."""
    for variable in model.variables:
        name, shape = variable.name, tuple(variable.shape)
        if "gamma" in name:
            values = rng.uniform(0.4, 2, shape) * rng.choice([-1, 1, 1], shape)
        elif "variance" in name:
            values = rng.uniform(0.3, 2, shape)
        else:
            values = rng.uniform(-1, 1, shape)
        variable.assign(values.astype(np.float32))


def main(folder):
    answers = {}
    for seed, (name, (function, opset)) in enumerate(NETWORKS.items()):
        tf.keras.backend.clear_session()
        rng = np.random.default_rng(seed)
        model = function()
        randomize(model, rng)
        x = (rng.integers(-64, 64, (4, *model.input_shape[1:])) / 32).astype(np.float32)
        answers[f"{name}.x"], answers[f"{name}.y"] = x, model.predict(x, verbose=0)
        onnx.save(from_keras(model, name, opset=opset)[0], folder / f"{name}.onnx")
    np.savez_compressed(folder / "keras.npz", **answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
