"""What the golden model is compared with: torch in float64 on integers, and post-operations by their definition."""

import dataclasses

import numpy as np
import torch
from torch.nn import functional

from rowloom.model.arith import multiply_by_quantized_multiplier
from rowloom.model.bounds import sum_bounds
from rowloom.model.encodings import Uniform
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Requantize, Thresholds

WIDE = Uniform(bits=48, signed=True)
POSTS = ["sums", "thresholds", "one threshold", "requantize"]


def single(layer, shape, source, target=WIDE):
    """A network of one layer with one input; raw sums get the widest encoding."""
    return Network(
        name="single",
        tensors=(
            Tensor(name="a", shape=shape, encoding=source),
            Tensor(name="b", shape=layer.output_shape(shape), encoding=target),
        ),
        layers=(layer,),
        input="a",
        outputs=("b",),
    )


def random_codes(rng, encoding, shape):
    """Codes of an encoding, the extremes first."""
    codes = rng.integers(encoding.code_min, encoding.code_max + 1, shape)
    codes.flat[:2] = encoding.code_min, encoding.code_max
    return codes


def to_torch(values):
    """[N, H, W, C] as float64 [N, C, H, W]."""
    return torch.from_numpy(np.asarray(values, np.float64)).permute(0, 3, 1, 2)


def from_torch(tensor):
    """[N, C, H, W] as int64 [N, H, W, C]; every value must be an integer."""
    array = tensor.permute(0, 2, 3, 1).numpy()
    assert np.all(array == np.rint(array))
    return array.astype(np.int64)


def torch_pad(layer, x, value=0.0):
    top, bottom, left, right = layer.padding
    return functional.pad(x, (left, right, top, bottom), value=value)


def torch_convolution(layer, values):
    """A convolution's sums of values [N, H, W, C]."""
    x = torch_pad(layer, to_torch(values), float(layer.pad_value or 0))
    w = to_torch(layer.weight_encoding.decode(layer.weights))
    bias = None if layer.bias is None else torch.from_numpy(layer.bias.astype(np.float64))
    return from_torch(functional.conv2d(x, w, bias, layer.stride, 0, layer.dilation, layer.groups))


def with_post(rng, layer, kind, shapes, encodings):
    """The layer with a random post-operation, for sums as they are likely to be, and the encoding of its output."""
    if kind == "sums":
        return layer, WIDE
    lows, highs = np.array(sum_bounds(layer, shapes, encodings))
    channels, reach = len(lows), np.maximum(highs - lows, 1)
    if kind == "requantize":
        target = Uniform(bits=8, signed=True)
        # About the middle half of the possible sums fills the codes.
        scale = 512 / reach
        shift = np.floor(np.log2(scale)).astype(np.int64) + 1
        multiplier = np.floor(scale * 2.0**-shift * (1 << 31)).astype(np.int64).clip(0, (1 << 31) - 1)
        post = Requantize(multiplier=multiplier, shift=shift, output_zero_point=int(rng.integers(-20, 20)))
    else:
        target = {
            "thresholds": Uniform(bits=4, signed=True, zero_point=3),
            "one threshold": Uniform(bits=1, signed=False),
        }[kind]
        levels = target.code_max - target.code_min
        spread = rng.uniform(0.3, 0.7, (channels, levels))
        direction = rng.choice([-1, 1], channels)
        values = np.sort((lows[:, None] + reach[:, None] * spread).astype(np.int64) * direction[:, None], axis=1)
        post = Thresholds(values=values, direction=direction)
    return dataclasses.replace(layer, post=post), target


def finished(layer, target, sums):
    """The codes of sums [..., M] that include the bias."""
    post = layer.post
    if post is None:
        return sums + target.zero_point
    if isinstance(post, Requantize):
        scaled = multiply_by_quantized_multiplier(sums, post.multiplier, post.shift) + post.output_zero_point
        return np.clip(scaled, target.code_min, target.code_max)
    reached = (sums * post.direction)[..., None] >= post.values
    return target.code_min + reached.sum(axis=-1)
